// /dev/xen/gntdev: rings mapped from a guest, and the way to its data pages.
//
//   gntdevMapRing(domid, grefs) ─► a mapping of the table of owners, with a descriptor of its own behind it
//   gntdevOpen() ─► descriptor ─► grantsOpen(descriptor, arena, domid, mode, most) ─► grantsCopy … grantsClose
//
// A mapping is made of one ioctl, which names the pages, and one mmap, in which the hypercall happens: bad references
// fail there. No I/O is ever aimed at pages mapped here (a mapping torn down under I/O leaves grants active for good,
// and breaks the kernel's page accounting): they are read and written by the processor only.
// What must never happen: a page that stays mapped because something else failed.
#include "gntdev.h"

#include <fcntl.h>
#include <napi.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr uint32_t kMaxRingPages = 32;
constexpr uint32_t kMaxPerCall = 1024;
constexpr uint32_t kMaxKept = 1 << 16;

/// struct ioctl_gntdev_grant_ref
struct GrantRef {
  uint32_t domid, ref;
};
/// struct ioctl_gntdev_map_grant_ref, with room for one reference; more follow it.
struct MapRequest {
  uint32_t count, pad;
  uint64_t index;
  GrantRef refs[1];
};
/// struct ioctl_gntdev_unmap_grant_ref
struct UnmapRequest {
  uint64_t index;
  uint32_t count, pad;
};
static_assert(sizeof(MapRequest) == 24 && sizeof(UnmapRequest) == 16, "as the kernel has them");

constexpr unsigned long kMapGrantRef = _IOC(_IOC_NONE, 'G', 0, sizeof(MapRequest));
constexpr unsigned long kUnmapGrantRef = _IOC(_IOC_NONE, 'G', 1, sizeof(UnmapRequest));

enum Mode : uint64_t { kCopy = 0, kMap = 1, kPersistent = 2 };

struct OpenCopier {
  Borrow gntdevBorrow, arenaBorrow;
  Mapping arena;
  // Last, so that it goes first: it unmaps through the descriptor that is borrowed.
  std::unique_ptr<GrantCopier> copier;
};

struct Copiers {
  Slots<OpenCopier> slots;
};

}  // namespace

int OpenGntdev() { return open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC); }

int MapGrants(int gntdev, uint32_t domid, const uint32_t* grefs, uint32_t count, bool writable, GuestPages* out) {
  if (count == 0 || count > kMaxPerCall) return -EINVAL;
  std::vector<uint64_t> words((sizeof(MapRequest) + (count - 1) * sizeof(GrantRef)) / sizeof(uint64_t));
  // SAFETY: the vector is aligned for, and as large as, a MapRequest with `count` references.
  auto* request = reinterpret_cast<MapRequest*>(words.data());
  request->count = count;
  for (uint32_t i = 0; i < count; i++) request->refs[i] = {domid, grefs[i]};
  if (ioctl(gntdev, kMapGrantRef, request) < 0) return -errno;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  // SAFETY: a new mapping at an address of the kernel's choice.
  void* address = mmap(nullptr, count * kGrantPage, protection, MAP_SHARED, gntdev, static_cast<off_t>(request->index));
  if (address == MAP_FAILED) {
    const int number = errno;
    UnmapRequest unmap = {request->index, count, 0};
    ioctl(gntdev, kUnmapGrantRef, &unmap);
    return -number;
  }
  *out = {static_cast<uint8_t*>(address), request->index, count};
  return 0;
}

void UnmapGrants(int gntdev, const GuestPages& pages) {
  // SAFETY: the caller's own mapping, which nobody looks at any more.
  munmap(pages.address, pages.count * kGrantPage);
  UnmapRequest unmap = {pages.index, pages.count, 0};
  ioctl(gntdev, kUnmapGrantRef, &unmap);
}

namespace {

/// gntdevOpen() → a descriptor's handle
napi_value GntdevOpen(napi_env env, napi_callback_info) {
  const int fd = OpenGntdev();
  return fd < 0 ? ThrowErrno(env, "open") : Unsigned(env, AdoptFd(fd, "gntdev"));
}

/// gntdevMapRing(domid, grefs: Int32Array) → a mapping's handle, grefs.length pages in a row, writable
napi_value GntdevMapRing(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint64_t domid;
  int32_t* grefs;
  size_t count;
  if (!args.Whole(0, 0x7fff, &domid) || !args.Words(1, &grefs, &count) || count == 0 || count > kMaxRingPages)
    return ThrowInvalid(env, "gntdevMapRing takes a domid and 1 to 32 references");
  const int fd = OpenGntdev();
  if (fd < 0) return ThrowErrno(env, "open");
  const std::vector<uint32_t> refs(grefs, grefs + count);
  GuestPages pages;
  const int failed =
      MapGrants(fd, static_cast<uint32_t>(domid), refs.data(), static_cast<uint32_t>(count), true, &pages);
  if (failed) {
    close(fd);
    errno = -failed;
    return ThrowErrno(env, "mmap");
  }
  // The table unmaps the memory itself; what is left is to end it in Xen, now and not when the kernel gets round to it.
  const auto afterUnmap = [fd, index = pages.index, count] {
    UnmapRequest unmap = {index, static_cast<uint32_t>(count), 0};
    ioctl(fd, kUnmapGrantRef, &unmap);
    close(fd);
  };
  return Unsigned(env, AdoptMapping({pages.address, count * kGrantPage, true}, "grants", afterUnmap));
}

/// grantsOpen(gntdev, arena, domid, mode 0 copy · 1 map · 2 persistent, most pages kept) → id
napi_value GrantsOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t gntdev, arena;
  uint64_t domid, mode, most;
  if (!args.Handle(0, &gntdev) || !args.Handle(1, &arena) || !args.Whole(2, 0x7fff, &domid) ||
      !args.Whole(3, kPersistent, &mode) || !args.Whole(4, kMaxKept, &most) || (mode == kPersistent && most == 0))
    return ThrowInvalid(env, "grantsOpen takes the handles of gntdev and arena, a domid, a mode and how many to keep");
  auto open = std::make_unique<OpenCopier>();
  const int fd = open->gntdevBorrow.TakeFd(gntdev);
  if (fd < 0) return Throw(env, EBADF, "EBADF: no such descriptor in the table of owners");
  if (!open->arenaBorrow.TakeMapping(arena, &open->arena))
    return Throw(env, EBADF, "EBADF: no such mapping in the table of owners");
  if (!open->arena.writable) return ThrowInvalid(env, "the arena must be mapped writable");
  const CopierTarget target = {fd, static_cast<uint32_t>(domid), open->arena.address, open->arena.length};
  open->copier = mode == kCopy  ? NewHypervisorCopier(target)
                 : mode == kMap ? NewMappingCopier(target)
                                : NewPersistentCopier(target, static_cast<uint32_t>(most));
  const uint32_t id = static_cast<Copiers*>(args.data)->slots.Add(open);
  return id ? Unsigned(env, id) : Throw(env, EMFILE, "EMFILE: 1024 copiers are open on this thread");
}

OpenCopier* Find(const Args& args) {
  uint32_t id;
  return args.Index(0, &id) ? static_cast<Copiers*>(args.data)->slots.Find(id) : nullptr;
}

napi_value ThrowNoCopier(napi_env env) { return Throw(env, EBADF, "EBADF: no such copier is open on this thread"); }

/// grantsCopy(id, copies, count) → how many failed
napi_value GrantsCopy(napi_env env, napi_callback_info info) {
  Args args(env, info);
  OpenCopier* open = Find(args);
  int32_t* copies;
  size_t words;
  uint32_t count;
  if (!open) return ThrowNoCopier(env);
  if (!args.Words(1, &copies, &words) || !args.Index(2, &count) || size_t{count} * kCopyWords > words)
    return ThrowInvalid(env, "grantsCopy takes copies of 4 words each and how many");
  open->copier->counts.copies += count;
  return Unsigned(env, open->copier->Copy(copies, count));
}

/// grantsCounts(id, out: Float64Array of 4): calls, copies, pages mapped now, evictions
napi_value GrantsCounts(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const OpenCopier* open = Find(args);
  uint8_t* bytes;
  size_t length;
  if (!open) return ThrowNoCopier(env);
  if (!args.Bytes(1, &bytes, &length) || length < 4 * sizeof(double))
    return ThrowInvalid(env, "grantsCounts takes an id and a Float64Array of 4");
  const CopierCounts& counts = open->copier->counts;
  const double out[4] = {counts.calls, counts.copies, counts.mapped, counts.evicted};
  memcpy(bytes, out, sizeof out);
  return Undefined(env);
}

napi_value GrantsClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t id;
  if (!args.Index(0, &id) || !static_cast<Copiers*>(args.data)->slots.Remove(id)) return ThrowNoCopier(env);
  return Undefined(env);
}

}  // namespace
}  // namespace xbbd

void InitGntdev(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* copiers = new Copiers;
  napi_add_env_cleanup_hook(env, [](void* data) { delete static_cast<Copiers*>(data); }, copiers);
  Export(env, exports, "gntdevOpen", GntdevOpen);
  Export(env, exports, "gntdevMapRing", GntdevMapRing);
  Export(env, exports, "grantsOpen", GrantsOpen, copiers);
  Export(env, exports, "grantsCopy", GrantsCopy, copiers);
  Export(env, exports, "grantsCounts", GrantsCounts, copiers);
  Export(env, exports, "grantsClose", GrantsClose, copiers);
}
