// /dev/xen/evtchn: event channels, as many descriptors as channels, so that a Worker polls its own alone and a
// descriptor is never shared between guests. Each is restricted to its guest's domid before anything is bound.
//
//   evtchnOpen(domid) ─► descriptor ─ evtchnBind(remote port) ─► local port ─ poller (mode evtchn) … evtchnNotify
//
// Reading the descriptor gives the port of each event and leaves it masked; writing the port back unmasks it
// (poller.cc does both). Numbers are those of Linux's uapi header xen/evtchn.h.
#include <fcntl.h>
#include <napi.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

constexpr unsigned long Ioctl(unsigned number, size_t size) { return _IOC(_IOC_NONE, 'E', number, size); }

/// struct ioctl_evtchn_bind_interdomain
struct BindInterdomain {
  uint32_t remoteDomain, remotePort;
};
constexpr unsigned long kBindInterdomain = Ioctl(1, sizeof(BindInterdomain));
constexpr unsigned long kUnbind = Ioctl(3, sizeof(uint32_t));
constexpr unsigned long kNotify = Ioctl(4, sizeof(uint32_t));
constexpr unsigned long kRestrictDomid = Ioctl(6, sizeof(uint16_t));

napi_value ThrowUnknown(napi_env env) { return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners"); }

/// evtchnOpen(domid) → a descriptor's handle, good for that guest's channels only
napi_value EvtchnOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint64_t domid;
  if (!args.Whole(0, 0x7fff, &domid)) return ThrowInvalid(env, "evtchnOpen takes a domid");
  const int fd = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return ThrowErrno(env, "open");
  auto guest = static_cast<uint16_t>(domid);
  // Linux refuses to restrict to domain 0 (EINVAL); it is its own front end only in tests.
  if (guest != 0 && ioctl(fd, kRestrictDomid, &guest) < 0) {
    const int number = errno;
    close(fd);
    errno = number;
    return ThrowErrno(env, "ioctl");
  }
  return Unsigned(env, AdoptFd(fd, "evtchn"));
}

/// evtchnBind(descriptor, domid, remotePort) → local port. EINVAL: the port is not offered to us or is bound already;
/// ESRCH: there is no such domain.
napi_value EvtchnBind(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle, port;
  uint64_t domid;
  if (!args.Handle(0, &handle) || !args.Whole(1, 0x7fff, &domid) || !args.Index(2, &port))
    return ThrowInvalid(env, "evtchnBind takes a descriptor's handle, a domid and a port");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  BindInterdomain bind = {static_cast<uint32_t>(domid), port};
  const int local = ioctl(fd, kBindInterdomain, &bind);
  return local < 0 ? ThrowErrno(env, "ioctl") : Signed(env, local);
}

napi_value WithPort(napi_env env, napi_callback_info info, unsigned long request) {
  Args args(env, info);
  uint32_t handle, port;
  if (!args.Handle(0, &handle) || !args.Index(1, &port))
    return ThrowInvalid(env, "an event channel is a descriptor's handle and a port");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  return ioctl(fd, request, &port) < 0 ? ThrowErrno(env, "ioctl") : Undefined(env);
}

/// evtchnUnbind(descriptor, port): the guest's end is unbound then, and reserved for our domain as before.
napi_value EvtchnUnbind(napi_env env, napi_callback_info info) { return WithPort(env, info, kUnbind); }

/// evtchnNotify(descriptor, port). No error when the guest is gone.
napi_value EvtchnNotify(napi_env env, napi_callback_info info) { return WithPort(env, info, kNotify); }

/// evtchnTake(descriptor) → the port of one event that waits, unmasked again, or 0; for who does not poll
napi_value EvtchnTake(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle, port;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "evtchnTake takes a descriptor's handle");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return ThrowUnknown(env);
  if (read(fd, &port, sizeof port) != sizeof port) return errno == EAGAIN ? Unsigned(env, 0) : ThrowErrno(env, "read");
  if (write(fd, &port, sizeof port) != sizeof port) return ThrowErrno(env, "write");
  return Unsigned(env, port);
}

}  // namespace
}  // namespace xbbd

void InitEvtchn(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "evtchnOpen", EvtchnOpen);
  Export(env, exports, "evtchnBind", EvtchnBind);
  Export(env, exports, "evtchnUnbind", EvtchnUnbind);
  Export(env, exports, "evtchnNotify", EvtchnNotify);
  Export(env, exports, "evtchnTake", EvtchnTake);
}
