// A descriptor that becomes readable at a given moment, for measuring what a wake-up costs on this machine. Everything
// else that waits for a time goes through the Clock port, which the simulated world can replace.
#include <napi.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

/// timerCreate() → a descriptor's handle; a poller of mode eventfd reads it
napi_value TimerCreate(napi_env env, napi_callback_info) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  return fd < 0 ? ThrowErrno(env, "timerfd_create") : Unsigned(env, AdoptFd(fd, "timerfd"));
}

/// timerSet(handle, at): readable once, at this moment of CLOCK_MONOTONIC in nanoseconds
napi_value TimerSet(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint64_t at;
  if (!args.Handle(0, &handle) || !args.Whole(1, 0x1p53, &at)) return ThrowInvalid(env, "timerSet takes a handle and ns");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners");
  constexpr uint64_t kSecond = 1'000'000'000;
  itimerspec once = {};
  once.it_value = {static_cast<time_t>(at / kSecond), static_cast<long>(at % kSecond)};
  return timerfd_settime(fd, TFD_TIMER_ABSTIME, &once, nullptr) < 0 ? ThrowErrno(env, "timerfd_settime") : Undefined(env);
}

}  // namespace
}  // namespace xbbd

void InitTimer(Napi::Env env, Napi::Object exports) {
  xbbd::Export(env, exports, "timerCreate", xbbd::TimerCreate);
  xbbd::Export(env, exports, "timerSet", xbbd::TimerSet);
}
