// Messages with descriptors between processes of one machine: unix sockets of type SOCK_SEQPACKET, which keep
// message boundaries, and SCM_RIGHTS. Everything is non-blocking and bounded: a message has 1 to 64 KiB and at most
// 16 descriptors. What arrives is close-on-exec from its first moment and entered in the table of owners at once; a
// message that was cut short is refused and every descriptor that came with it is closed, so none can leak.
#include <fcntl.h>
#include <napi.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vector>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

constexpr size_t kMostBytes = 64 * 1024;
constexpr size_t kMostDescriptors = 16;

napi_value ThrowUnknown(napi_env env) { return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners"); }

bool Address(const std::string& path, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address->sun_path) return false;
  memcpy(address->sun_path, path.data(), path.size());
  return true;
}

int NewSocket() { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

napi_value CloseAndThrow(napi_env env, int fd, const char* syscall) {
  const int number = errno;
  close(fd);
  errno = number;
  return ThrowErrno(env, syscall);
}

// SAFETY: the casts to sockaddr are the calling convention of bind and connect; the family says what it is.
const sockaddr* Generic(const sockaddr_un* address) { return reinterpret_cast<const sockaddr*>(address); }

/// socketListen(path, mode) → handle. Throws EADDRINUSE when the path exists: removing it is the caller's decision.
napi_value SocketListen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  uint64_t mode;
  sockaddr_un address;
  if (!args.Text(0, &path) || !args.Whole(1, 0777, &mode))
    return ThrowInvalid(env, "socketListen takes a path and a mode");
  if (!Address(path, &address)) return Throw(env, ENAMETOOLONG, "ENAMETOOLONG: a socket's path has 1 to 107 bytes");
  const int fd = NewSocket();
  if (fd < 0) return ThrowErrno(env, "socket");
  // Linux makes the node with the mode of the unbound socket: so it is never open wider than asked, not for a moment.
  if (fchmod(fd, static_cast<mode_t>(mode)) < 0) return CloseAndThrow(env, fd, "fchmod");
  if (bind(fd, Generic(&address), sizeof address) < 0) return CloseAndThrow(env, fd, "bind");
  // The process's umask may have narrowed it.
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) < 0 || listen(fd, 64) < 0) {
    const int number = errno;
    unlink(path.c_str());
    errno = number;
    return CloseAndThrow(env, fd, "listen");
  }
  return Unsigned(env, AdoptFd(fd, "listener"));
}

/// socketAccept(handle) → handle, or 0 when nobody waits
napi_value SocketAccept(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  Borrow borrow;
  const int listener = args.Handle(0, &handle) ? borrow.TakeFd(handle) : -1;
  if (listener < 0) return ThrowUnknown(env);
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) return Unsigned(env, AdoptFd(fd, "socket"));
  // A peer that left before it was accepted is as good as none.
  if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return Unsigned(env, 0);
  return ThrowErrno(env, "accept");
}

/// socketConnect(path) → handle
napi_value SocketConnect(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string path;
  sockaddr_un address;
  if (!args.Text(0, &path)) return ThrowInvalid(env, "socketConnect takes a path");
  if (!Address(path, &address)) return Throw(env, ENAMETOOLONG, "ENAMETOOLONG: a socket's path has 1 to 107 bytes");
  const int fd = NewSocket();
  if (fd < 0) return ThrowErrno(env, "socket");
  if (connect(fd, Generic(&address), sizeof address) < 0) return CloseAndThrow(env, fd, "connect");
  return Unsigned(env, AdoptFd(fd, "socket"));
}

/// The handles in a JavaScript array, each borrowed for as long as `borrows` lives.
bool Descriptors(const Args& args, size_t i, std::vector<int>* fds, std::vector<std::unique_ptr<Borrow>>* borrows) {
  uint32_t length = 0;
  if (napi_get_array_length(args.env, args.value[i], &length) != napi_ok || length > kMostDescriptors) return false;
  for (uint32_t at = 0; at < length; at++) {
    napi_value item;
    uint32_t handle;
    if (napi_get_element(args.env, args.value[i], at, &item) != napi_ok ||
        napi_get_value_uint32(args.env, item, &handle) != napi_ok)
      return false;
    auto borrow = std::make_unique<Borrow>();
    const int fd = borrow->TakeFd(handle);
    if (fd < 0) return false;
    fds->push_back(fd);
    borrows->push_back(std::move(borrow));
  }
  return true;
}

/// socketSend(handle, bytes, handles) → false when the peer's buffer is full; then nothing was sent
napi_value SocketSend(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint8_t* bytes;
  size_t length;
  std::vector<int> fds;
  std::vector<std::unique_ptr<Borrow>> borrows;
  if (!args.Handle(0, &handle) || !args.Bytes(1, &bytes, &length) || length == 0 || length > kMostBytes ||
      !Descriptors(args, 2, &fds, &borrows))
    return ThrowInvalid(env, "socketSend takes 1 to 65536 bytes and at most 16 handles of descriptors");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  iovec part = {bytes, length};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == EAGAIN) return Boolean(env, false);
  if (sent < 0) return ThrowErrno(env, "sendmsg");
  return Boolean(env, true);
}

/// All descriptors that came with a message.
std::vector<int> Received(msghdr* message) {
  std::vector<int> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = fds.size();
    fds.resize(before + count);
    memcpy(fds.data() + before, CMSG_DATA(header), count * sizeof(int));
  }
  return fds;
}

/// socketReceive(handle) → {bytes: ArrayBuffer, handles}, undefined when nothing waits, null at the end
napi_value SocketReceive(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  Borrow borrow;
  const int fd = args.Handle(0, &handle) ? borrow.TakeFd(handle) : -1;
  if (fd < 0) return ThrowUnknown(env);
  std::vector<uint8_t> bytes(kMostBytes);
  iovec part = {bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  // A peer that left with something of ours unread is gone as one that left in peace: the kernel says so once, before
  // what the peer had sent, and that is read as if nothing had been said.
  do got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0 && errno == EAGAIN) return Undefined(env);
  napi_value result = nullptr;
  if (got == 0) {
    for (int extra : Received(&message)) close(extra);
    napi_get_null(env, &result);
    return result;
  }
  if (got < 0) return ThrowErrno(env, "recvmsg");
  const std::vector<int> fds = Received(&message);
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    for (int cut : fds) close(cut);
    return Throw(env, EMSGSIZE, "EMSGSIZE: a message of more than 65536 bytes or 16 descriptors came", "recvmsg");
  }
  napi_value buffer, handles;
  void* data = nullptr;
  if (napi_create_arraybuffer(env, static_cast<size_t>(got), &data, &buffer) != napi_ok) {
    for (int lost : fds) close(lost);
    return Throw(env, ENOMEM, "ENOMEM: no memory for a message");
  }
  memcpy(data, bytes.data(), static_cast<size_t>(got));
  napi_create_array_with_length(env, fds.size(), &handles);
  for (size_t i = 0; i < fds.size(); i++)
    napi_set_element(env, handles, static_cast<uint32_t>(i), Unsigned(env, AdoptFd(fds[i], "received")));
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "bytes", buffer);
  napi_set_named_property(env, result, "handles", handles);
  return result;
}

}  // namespace
}  // namespace xbbd

void InitSocket(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "socketListen", SocketListen);
  Export(env, exports, "socketAccept", SocketAccept);
  Export(env, exports, "socketConnect", SocketConnect);
  Export(env, exports, "socketSend", SocketSend);
  Export(env, exports, "socketReceive", SocketReceive);
}
