// libuv over loop.h, and where Node-API says which loop it is.
#include "loop.h"

using namespace xbbd_fuzz;

extern "C" {

napi_status napi_get_uv_event_loop(napi_env, uv_loop_t** loop) {
  static uv_loop_t only;
  *loop = &only;
  return napi_ok;
}

/// As libuv: a descriptor is polled by one handle, and a file cannot be polled.
int uv_poll_init(uv_loop_t*, uv_poll_t* handle, int fd) {
  struct stat status;
  if (fstat(fd, &status) < 0) return UV_EBADF;
  if (S_ISREG(status.st_mode)) return UV_EPERM;
  for (const auto& other : polled)
    if (other.second.fd == fd && !other.second.closed) return UV_EEXIST;
  polled[reinterpret_cast<uv_handle_t*>(handle)] = {fd, nullptr, nullptr};
  return 0;
}

int uv_poll_start(uv_poll_t* handle, int, uv_poll_cb call) {
  Polled& state = polled.at(reinterpret_cast<uv_handle_t*>(handle));
  Require(!state.closed, "what is closed is not started");
  state.call = call;
  return 0;
}

int uv_poll_stop(uv_poll_t* handle) {
  polled.at(reinterpret_cast<uv_handle_t*>(handle)).call = nullptr;
  return 0;
}

void uv_close(uv_handle_t* handle, uv_close_cb closed) {
  Polled& state = polled.at(handle);
  Require(!state.closed && closed, "a handle is closed once");
  state.call = nullptr;
  state.closed = closed;
}

void uv_ref(uv_handle_t* handle) { Require(polled.count(handle) == 1, "a handle that is there is kept alive"); }
void uv_unref(uv_handle_t* handle) { Require(polled.count(handle) == 1, "a handle that is there is not kept alive"); }
const char* uv_err_name(int failed) { return failed == UV_EPERM ? "EPERM" : failed == UV_EEXIST ? "EEXIST" : "EBADF"; }

}  // extern "C"
