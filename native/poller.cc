// Readiness of descriptors, in the event loop of the thread that asks: uv_poll on the environment's own loop (never
// the default one: Workers have theirs). Four ways to treat a wake-up:
//
//   plain     calls, and calls again while the descriptor stays readable
//   eventfd   reads the counter first, so that one call stands for all that was counted
//   channel   as eventfd, then stays masked until unmask(): what comes meanwhile is remembered, not called; the way
//             an event channel behaves on Xen
//
// A poller borrows its descriptor, so it cannot be closed beneath libuv. What the callback throws becomes an
// uncaught exception of its thread. The handle's memory is freed only in libuv's close callback; at the
// environment's end an asynchronous clean-up hook waits for the last of them.
#include <napi.h>
#include <unistd.h>
#include <uv.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

enum class Mode { kPlain = 0, kEventfd = 1, kChannel = 2, kEvtchn = 3 };

struct Pollers;

struct Poller {
  uv_poll_t handle;
  Borrow borrow;
  int fd = -1;
  Mode mode = Mode::kPlain;
  bool masked = false;
  bool pending = false;
  /// Mode evtchn: the port that was read and is masked.
  uint32_t port = 0;
  bool closing = false;
  napi_env env = nullptr;
  napi_ref callback = nullptr;
  napi_async_context context = nullptr;
  Pollers* owner = nullptr;
};

/// One environment's pollers. `closing` counts handles that libuv still holds.
struct Pollers {
  Slots<Poller> slots;
  uint32_t closing = 0;
  napi_async_cleanup_hook_handle hook = nullptr;
  bool ending = false;
};

void FinishIfEnded(Pollers* pollers) {
  if (!pollers->ending || pollers->closing) return;
  napi_remove_async_cleanup_hook(pollers->hook);
  delete pollers;
}

/// Hands the poller to libuv for closing; its memory goes when libuv is done with it. What it named in JavaScript is
/// let go of at once, in the environment's end as well: Node leaves the names of one that ends to whoever made them.
void BeginClose(std::unique_ptr<Poller> poller) {
  Poller* raw = poller.release();
  napi_delete_reference(raw->env, raw->callback);
  napi_async_destroy(raw->env, raw->context);
  raw->closing = true;
  raw->owner->closing++;
  uv_poll_stop(&raw->handle);
  uv_close(reinterpret_cast<uv_handle_t*>(&raw->handle), [](uv_handle_t* handle) {
    // SAFETY: `data` is the Poller that was released to libuv in BeginClose, and this is its last use.
    auto* closed = static_cast<Poller*>(handle->data);
    Pollers* owner = closed->owner;
    delete closed;
    owner->closing--;
    FinishIfEnded(owner);
  });
  // libuv forgets the descriptor in uv_close itself; only the handle's memory is needed longer.
  raw->fd = -1;
  raw->borrow.Reset();
}

/// Into JavaScript, once.
void Call(Poller* poller) {
  napi_env env = poller->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr, receiver = nullptr, result = nullptr;
  if (napi_get_reference_value(env, poller->callback, &callback) == napi_ok && callback &&
      napi_get_global(env, &receiver) == napi_ok) {
    const napi_status status =
        napi_make_callback(env, poller->context, receiver, callback, 0, nullptr, &result);
    napi_value thrown = nullptr;
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &thrown) == napi_ok && thrown)
      napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
}

void OnReadable(uv_poll_t* handle, int status, int) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (poller->closing) return;
  // An error of the descriptor (status < 0) is delivered as a wake-up too: whoever reads it will meet the error.
  if (poller->mode == Mode::kEvtchn) {
    if (read(poller->fd, &poller->port, sizeof poller->port) != sizeof poller->port && status == 0) return;
    poller->masked = true;
  } else if (poller->mode != Mode::kPlain) {
    uint64_t counted = 0;
    if (read(poller->fd, &counted, sizeof counted) != sizeof counted && status == 0) return;
  }
  if (poller->mode == Mode::kChannel) {
    if (poller->masked) {
      poller->pending = true;
      return;
    }
    poller->masked = true;
  }
  // Nothing of the poller may be touched after this: the callback may have closed it.
  Call(poller);
}

Poller* Find(const Args& args) {
  uint32_t id;
  if (!args.Index(0, &id)) return nullptr;
  return static_cast<Pollers*>(args.data)->slots.Find(id);
}

napi_value ThrowNoPoller(napi_env env) { return Throw(env, EBADF, "EBADF: no such poller is open on this thread"); }

napi_value ThrowUnpollable(napi_env env, int failed) {
  return Throw(env, -failed, std::string(uv_err_name(failed)) + ": the descriptor cannot be polled", "epoll_ctl");
}

/// pollerOpen(descriptor, mode 0|1|2|3, callback) → id; begins paused.
napi_value PollerOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  auto* pollers = static_cast<Pollers*>(args.data);
  uint32_t handle;
  uint64_t mode;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args.value[2], &type);
  if (!args.Handle(0, &handle) || !args.Whole(1, 3, &mode) || type != napi_function)
    return ThrowInvalid(env, "pollerOpen takes a descriptor's handle, a mode and a function");
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return Throw(env, ENOSYS, "ENOSYS: this thread has no event loop");
  auto poller = std::make_unique<Poller>();
  poller->fd = poller->borrow.TakeFd(handle);
  if (poller->fd < 0) return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners");
  poller->mode = static_cast<Mode>(mode);
  poller->env = env;
  poller->owner = pollers;
  const int failed = uv_poll_init(loop, &poller->handle, poller->fd);
  if (failed) return ThrowUnpollable(env, failed);
  poller->handle.data = poller.get();
  napi_value name;
  napi_create_string_utf8(env, "XBBD_POLLER", NAPI_AUTO_LENGTH, &name);
  napi_create_reference(env, args.value[2], 1, &poller->callback);
  napi_async_init(env, nullptr, name, &poller->context);
  const uint32_t id = pollers->slots.Add(poller);
  if (id == 0) {
    BeginClose(std::move(poller));
    return Throw(env, EMFILE, "EMFILE: 1024 pollers are open on this thread");
  }
  return Unsigned(env, id);
}

napi_value PollerPause(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Poller* poller = Find(args);
  if (!poller) return ThrowNoPoller(env);
  uv_poll_stop(&poller->handle);
  return Undefined(env);
}

napi_value PollerResume(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Poller* poller = Find(args);
  if (!poller) return ThrowNoPoller(env);
  const int failed = uv_poll_start(&poller->handle, UV_READABLE, OnReadable);
  if (failed) return ThrowUnpollable(env, failed);
  return Undefined(env);
}

/// pollerUnmask(id): calls again from now on; at the next turn of the loop if something came meanwhile.
napi_value PollerUnmask(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Poller* poller = Find(args);
  if (!poller) return ThrowNoPoller(env);
  const bool wasMasked = poller->masked;
  poller->masked = false;
  if (poller->mode == Mode::kEvtchn) {
    // A port that was not read is not masked, and the system call is dear.
    if (wasMasked && write(poller->fd, &poller->port, sizeof poller->port) < 0) return ThrowErrno(env, "write");
  } else if (poller->pending) {
    poller->pending = false;
    // What was drained while masked is put back, so that it arrives by the one road there is.
    const uint64_t one = 1;
    if (write(poller->fd, &one, sizeof one) < 0 && errno != EAGAIN) return ThrowErrno(env, "write");
  }
  return Undefined(env);
}

/// pollerKeepAlive(id, whether): whether the poller alone keeps its thread's event loop running.
napi_value PollerKeepAlive(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Poller* poller = Find(args);
  bool keep;
  if (!poller) return ThrowNoPoller(env);
  if (!args.Flag(1, &keep)) return ThrowInvalid(env, "pollerKeepAlive takes whether");
  auto* handle = reinterpret_cast<uv_handle_t*>(&poller->handle);
  if (keep)
    uv_ref(handle);
  else
    uv_unref(handle);
  return Undefined(env);
}

napi_value PollerClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Poller* poller = Find(args);
  if (!poller) return ThrowNoPoller(env);
  uint32_t id;
  args.Index(0, &id);
  BeginClose(static_cast<Pollers*>(args.data)->slots.Remove(id));
  return Undefined(env);
}

/// The environment ends: every handle is closed, and the hook is done when libuv has let go of the last.
void EndEnvironment(napi_async_cleanup_hook_handle hook, void* data) {
  auto* pollers = static_cast<Pollers*>(data);
  pollers->hook = hook;
  pollers->ending = true;
  pollers->slots.Each([](std::unique_ptr<Poller>& poller) { BeginClose(std::move(poller)); });
  FinishIfEnded(pollers);
}

}  // namespace
}  // namespace xbbd

void InitPoller(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* pollers = new Pollers;
  napi_add_async_cleanup_hook(env, EndEnvironment, pollers, nullptr);
  Export(env, exports, "pollerOpen", PollerOpen, pollers);
  Export(env, exports, "pollerPause", PollerPause, pollers);
  Export(env, exports, "pollerResume", PollerResume, pollers);
  Export(env, exports, "pollerUnmask", PollerUnmask, pollers);
  Export(env, exports, "pollerKeepAlive", PollerKeepAlive, pollers);
  Export(env, exports, "pollerClose", PollerClose, pollers);
}
