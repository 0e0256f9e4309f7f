// An event loop that goes round when it is told to: as much of libuv as poller.cc uses. It judges how it is used: a
// handle is closed once, started only while it is open, and there until its closing was called back; the sanitizer sees
// the rest.
#pragma once
#include <node_api.h>
#include <poll.h>
#include <sys/stat.h>
#include <uv.h>

#include <map>
#include <vector>

#include "fuzz.h"

namespace xbbd_fuzz {

struct Polled {
  int fd = -1;
  uv_poll_cb call = nullptr;
  uv_close_cb closed = nullptr;
};
inline std::map<uv_handle_t*, Polled> polled;

inline bool IsReadable(int fd) {
  pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

/// Calls whoever waits for what can be read, then whoever has closed.
inline void GoRound() {
  std::vector<uv_handle_t*> handles;
  for (const auto& [handle, state] : polled) handles.push_back(handle);
  for (uv_handle_t* handle : handles) {
    const Polled state = polled.at(handle);
    if (state.call && !state.closed && IsReadable(state.fd))
      state.call(reinterpret_cast<uv_poll_t*>(handle), 0, UV_READABLE);
  }
  for (uv_handle_t* handle : handles) {
    const Polled state = polled.at(handle);
    if (!state.closed) continue;
    polled.erase(handle);
    state.closed(handle);
  }
}

}  // namespace xbbd_fuzz
