// One datagram to a unix socket by its address: what a service manager wants to hear (sd_notify(3)), and what Node's
// dgram cannot send. The socket is opened and closed for each: messages are rare, and a manager that was executed
// anew listens under the same address. Nothing waits: a full queue is the caller's to try again.
//
//   /run/systemd/notify     a path                 @name     an abstract socket: the name after a NUL byte
#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "calls.h"
#include "parts.h"

namespace xbbd {
namespace {

/// The address and its length; 0 when the text is none. An abstract name ends with its length, not with a NUL.
socklen_t AddressOf(const std::string& text, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  const bool abstract = !text.empty() && text[0] == '@';
  const size_t most = sizeof address->sun_path - (abstract ? 0 : 1);
  if (text.size() < (abstract ? 2 : 1) || text.size() > most) return 0;
  memcpy(address->sun_path, text.data(), text.size());
  if (abstract) address->sun_path[0] = 0;
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
}

/// notifySend(address, text) → false when the receiver's queue is full; then nothing was sent
napi_value NotifySend(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string to, text;
  sockaddr_un address;
  if (!args.Text(0, &to) || !args.Text(1, &text) || text.empty())
    return ThrowInvalid(env, "notifySend takes an address and a text of 1 to 4095 bytes");
  const socklen_t length = AddressOf(to, &address);
  if (length == 0) return Throw(env, ENAMETOOLONG, "ENAMETOOLONG: a socket's address has 1 to 107 bytes");
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ThrowErrno(env, "socket");
  ssize_t sent;
  // SAFETY: the cast to sockaddr is the calling convention of sendto; family and length say what it is.
  do
    sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&address), length);
  while (sent < 0 && errno == EINTR);
  const int number = errno;
  close(fd);
  if (sent >= 0) return Boolean(env, true);
  if (number == EAGAIN || number == ENOBUFS) return Boolean(env, false);
  errno = number;
  return ThrowErrno(env, "sendto");
}

}  // namespace
}  // namespace xbbd

void InitNotify(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "notifySend", NotifySend);
}
