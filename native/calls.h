// What every native file needs to be called from JavaScript: reading arguments and throwing plain errors.
// Raw Node-API rather than the C++ wrapper, because a call on the data path has 60 ns for everything. The rule for
// every function here: an argument that does not fit throws {code: 'EINVAL'} before anything was touched; a failing
// system call throws {code, errno, syscall} as Node's own fs does. Nothing throws for what a guest or a disk does.
#pragma once
#include <node_api.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace xbbd {

/// The symbolic name of the errors that these files meet; anything else is named by its number.
inline std::string ErrorName(int number) {
#define XBBD_NAME(name) \
  case name:            \
    return #name;
  switch (number) {
    XBBD_NAME(EACCES) XBBD_NAME(EADDRINUSE) XBBD_NAME(EAGAIN) XBBD_NAME(EBADF) XBBD_NAME(EBUSY) XBBD_NAME(ECONNREFUSED)
    XBBD_NAME(ECONNRESET) XBBD_NAME(EEXIST) XBBD_NAME(EFAULT) XBBD_NAME(EFBIG) XBBD_NAME(EINTR) XBBD_NAME(EINVAL)
    XBBD_NAME(EIO) XBBD_NAME(EISDIR) XBBD_NAME(EMFILE) XBBD_NAME(EMSGSIZE) XBBD_NAME(ENAMETOOLONG) XBBD_NAME(ENFILE)
    XBBD_NAME(ENODEV) XBBD_NAME(ENOENT) XBBD_NAME(ENOMEM) XBBD_NAME(ENOSPC) XBBD_NAME(ENOSYS) XBBD_NAME(ENOTCONN)
    XBBD_NAME(ENOTDIR) XBBD_NAME(ENXIO) XBBD_NAME(EOPNOTSUPP) XBBD_NAME(EPERM) XBBD_NAME(EPIPE) XBBD_NAME(EROFS)
    XBBD_NAME(ESRCH) XBBD_NAME(ETIMEDOUT) XBBD_NAME(ENOTSOCK) XBBD_NAME(ENOBUFS) XBBD_NAME(EPROTO) XBBD_NAME(ERANGE)
    default:
      return "E" + std::to_string(number);
  }
#undef XBBD_NAME
}

/// Throws Error {code, errno, syscall?} and returns nullptr, so that a function can `return Throw(…)`.
inline napi_value Throw(napi_env env, int number, const std::string& message, const char* syscall = nullptr) {
  napi_value code, text, error, value;
  const std::string name = ErrorName(number);
  napi_create_string_utf8(env, name.c_str(), name.size(), &code);
  napi_create_string_utf8(env, message.c_str(), message.size(), &text);
  if (napi_create_error(env, code, text, &error) != napi_ok) return nullptr;
  napi_create_int32(env, -number, &value);
  napi_set_named_property(env, error, "errno", value);
  if (syscall) {
    napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, error, "syscall", value);
  }
  napi_throw(env, error);
  return nullptr;
}

/// For a system call that failed with errno.
inline napi_value ThrowErrno(napi_env env, const char* syscall) {
  const int number = errno;
  return Throw(env, number, ErrorName(number) + ": " + strerror(number) + ", " + syscall, syscall);
}

inline napi_value ThrowInvalid(napi_env env, const std::string& what) { return Throw(env, EINVAL, "EINVAL: " + what); }

inline napi_value Number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}
inline napi_value Unsigned(napi_env env, uint32_t value) {
  napi_value result = nullptr;
  napi_create_uint32(env, value, &result);
  return result;
}
inline napi_value Signed(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}
inline napi_value Boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}
inline napi_value Undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

/// The arguments of one call. Each reader returns false when the argument does not fit; the caller then throws.
struct Args {
  static constexpr size_t kMost = 9;
  napi_env env;
  size_t count = kMost;
  napi_value value[kMost];
  void* data = nullptr;

  Args(napi_env environment, napi_callback_info info) : env(environment) {
    napi_get_cb_info(env, info, &count, value, nullptr, &data);
  }

  /// Null beyond what a call may have, which no N-API function takes for a value.
  napi_value At(size_t i) const { return i < kMost ? value[i] : nullptr; }

  /// A u32 that may wrap: negative numbers are taken modulo 2^32, as JavaScript's `>>> 0` does.
  bool Index(size_t i, uint32_t* out) const { return napi_get_value_uint32(env, At(i), out) == napi_ok; }

  /// A whole number from 0 to `most`.
  bool Whole(size_t i, double most, uint64_t* out) const {
    double number;
    if (napi_get_value_double(env, At(i), &number) != napi_ok) return false;
    if (!(number >= 0 && number <= most)) return false;
    // Below 2^63 by `most`, so the cast is defined; cheaper than floor(), which is a call on plain x86-64.
    *out = static_cast<uint64_t>(number);
    return static_cast<double>(*out) == number;
  }

  bool Handle(size_t i, uint32_t* out) const {
    uint64_t number;
    if (!Whole(i, 4294967295.0, &number)) return false;
    *out = static_cast<uint32_t>(number);
    return true;
  }

  bool Flag(size_t i, bool* out) const { return napi_get_value_bool(env, At(i), out) == napi_ok; }

  /// A string of at most 4095 bytes without NUL.
  bool Text(size_t i, std::string* out) const {
    char buffer[4097];
    size_t length = 0;
    if (napi_get_value_string_utf8(env, At(i), buffer, sizeof buffer, &length) != napi_ok) return false;
    if (length >= sizeof buffer - 1 || memchr(buffer, 0, length)) return false;
    out->assign(buffer, length);
    return true;
  }

  /// An Int32Array: its first word and its number of words. Valid until JavaScript runs again.
  bool Words(size_t i, int32_t** words, size_t* length) const {
    napi_typedarray_type type;
    void* bytes = nullptr;
    const napi_status status = napi_get_typedarray_info(env, At(i), &type, length, &bytes, nullptr, nullptr);
    if (status != napi_ok || type != napi_int32_array) return false;
    // SAFETY: a cast to what the type tag says; V8 aligns typed arrays to their element's size.
    *words = static_cast<int32_t*>(bytes);
    return true;
  }

  /// Any typed array as bytes. Valid until JavaScript runs again.
  bool Bytes(size_t i, uint8_t** bytes, size_t* length) const {
    napi_typedarray_type type;
    void* start = nullptr;
    size_t elements = 0;
    if (napi_get_typedarray_info(env, At(i), &type, &elements, &start, nullptr, nullptr) != napi_ok) return false;
    static constexpr size_t kSize[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    if (static_cast<size_t>(type) >= sizeof kSize / sizeof kSize[0]) return false;
    *bytes = static_cast<uint8_t*>(start);
    *length = elements * kSize[type];
    return true;
  }
};

/// Enters one function in the exports; `data` comes back as Args::data.
inline void Export(napi_env env, napi_value exports, const char* name, napi_callback call, void* data = nullptr) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, data, &function) == napi_ok)
    napi_set_named_property(env, exports, name, function);
}

}  // namespace xbbd
