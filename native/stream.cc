// A character device that is a stream of bytes, such as /dev/xen/xenbus: opened without ever waiting, read and written
// when the poller says so. node:fs would put a thread of its pool to sleep in each read, for as long as it lasts.
//
//   streamOpen(path) ─► descriptor     streamRead ─► bytes · 0 the end · -1 nothing yet     streamWrite ─► bytes · -1
#include <fcntl.h>
#include <napi.h>
#include <unistd.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

/// streamOpen(path) → a descriptor's handle, for reading and writing
napi_value StreamOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  if (!args.Text(0, &path) || path.empty()) return ThrowInvalid(env, "streamOpen takes a path");
  const int fd = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  return fd < 0 ? ThrowErrno(env, "open") : Unsigned(env, AdoptFd(fd, "stream"));
}

template <typename Call>
napi_value Transfer(napi_env env, napi_callback_info info, const char* name, Call call) {
  Args args(env, info);
  uint32_t handle;
  uint8_t* bytes;
  size_t length;
  if (!args.Handle(0, &handle) || !args.Bytes(1, &bytes, &length) || length == 0)
    return ThrowInvalid(env, std::string(name) + " of a stream takes a descriptor's handle and bytes");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners");
  const ssize_t moved = call(fd, bytes, length);
  if (moved >= 0) return Signed(env, static_cast<int32_t>(moved));
  return errno == EAGAIN || errno == EINTR ? Signed(env, -1) : ThrowErrno(env, name);
}

napi_value StreamRead(napi_env env, napi_callback_info info) { return Transfer(env, info, "read", read); }

napi_value StreamWrite(napi_env env, napi_callback_info info) {
  return Transfer(env, info, "write", [](int fd, const uint8_t* from, size_t length) { return write(fd, from, length); });
}

}  // namespace
}  // namespace xbbd

void InitStream(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "streamOpen", StreamOpen);
  Export(env, exports, "streamRead", StreamRead);
  Export(env, exports, "streamWrite", StreamWrite);
}
