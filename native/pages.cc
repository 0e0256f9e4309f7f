// Single pages of a guest's memory, mapped side by side: what one gntdev map of several references gives on Xen. Ring
// entries straddle page boundaries, so a ring of several pages must lie in a row, wherever its frames lie.
//
//   memfd      … │ frame 7 │ … │ frame 3 │ …          reserved area      │ frame 7 │ frame 3 │
#include <fcntl.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"

namespace xbbd {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMostPages = 1024;

/// mapPages(memory: descriptor's handle, frames: Int32Array) → a mapping's handle, frames.length pages, writable.
napi_value MapPages(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  int32_t* frames;
  size_t count;
  if (!args.Handle(0, &handle) || !args.Words(1, &frames, &count) || count == 0 || count > kMostPages)
    return ThrowInvalid(env, "mapPages takes a descriptor's handle and 1 to 1024 frames");
  Borrow borrow;
  const int fd = borrow.TakeFd(handle);
  if (fd < 0) return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners");
  const int seals = fcntl(fd, F_GET_SEALS);
  struct stat status;
  if (seals < 0 || !(seals & F_SEAL_SHRINK))
    return Throw(env, EPERM, "EPERM: the memory is not sealed against shrinking, whoever maps it could be killed");
  if (fstat(fd, &status) < 0) return ThrowErrno(env, "fstat");
  for (size_t i = 0; i < count; i++)
    if (static_cast<uint32_t>(frames[i]) >= static_cast<uint64_t>(status.st_size) / kPage)
      return ThrowInvalid(env, "a frame lies beyond the end of the memory");
  // SAFETY: the area is reserved at an address of the kernel's choice and nothing else can lie in it; each page is then
  // replaced by one of the memory, which is sealed, and the frame was checked against its size.
  void* area = mmap(nullptr, count * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return ThrowErrno(env, "mmap");
  auto* address = static_cast<uint8_t*>(area);
  for (size_t i = 0; i < count; i++) {
    const auto offset = static_cast<off_t>(static_cast<uint32_t>(frames[i])) * static_cast<off_t>(kPage);
    if (mmap(address + i * kPage, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) != MAP_FAILED)
      continue;
    const int number = errno;
    munmap(area, count * kPage);
    errno = number;
    return ThrowErrno(env, "mmap");
  }
  return Unsigned(env, AdoptMapping({address, count * kPage, true}, "pages"));
}

}  // namespace
}  // namespace xbbd

void InitPages(Napi::Env env, Napi::Object exports) { xbbd::Export(env, exports, "mapPages", xbbd::MapPages); }
