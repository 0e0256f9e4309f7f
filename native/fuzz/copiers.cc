// The three ways to a guest's pages under Xen (grant-copy.cc, grant-map.cc), over a hypervisor that refuses what it
// likes: lists of any content, references that permit nothing, calls that fail as a whole. Whatever happens, each element
// has a status, the number of failures is that of the statuses, arena and pages are not left, nothing stays mapped.
#include <sys/ioctl.h>

#include <cstdarg>
#include <map>
#include <vector>

#include "../gntdev.h"
#include "fuzz.h"

using namespace xbbd_fuzz;

namespace {

/// The hypervisor: what it refuses is drawn from the input.
struct Hypervisor {
  Input* input = nullptr;
  uint64_t next = 1;
  std::map<uint64_t, uint8_t*> mapped;
};
Hypervisor xen;

struct Segment {
  uint64_t source, dest;
  uint16_t length, flags;
  int16_t status;
};
static_assert(sizeof(Segment) == 24, "as the kernel has it");

}  // namespace

namespace xbbd {

int MapGrants(int, uint32_t, const uint32_t*, uint32_t count, bool, GuestPages* out) {
  if (xen.input->Below(4) == 0) return -22;
  auto* pages = static_cast<uint8_t*>(aligned_alloc(4096, size_t{count} * kGrantPage));
  memset(pages, 0x33, size_t{count} * kGrantPage);
  out->address = pages;
  out->index = xen.next++;
  out->count = count;
  xen.mapped[out->index] = pages;
  return 0;
}

void UnmapGrants(int, const GuestPages& pages) {
  const auto found = xen.mapped.find(pages.index);
  Require(found != xen.mapped.end() && found->second == pages.address, "what is unmapped was mapped, once");
  free(found->second);
  xen.mapped.erase(found);
}

}  // namespace xbbd

/// GNTTABOP_copy, by way of the ioctl (linked with --wrap=ioctl): every byte that it is told of is touched.
extern "C" int __wrap_ioctl(int, unsigned long number, ...) {
  va_list rest;
  va_start(rest, number);
  struct Request {
    uint32_t count;
    Segment* segments;
  };
  auto* request = va_arg(rest, Request*);
  va_end(rest);
  if (xen.input->Below(8) == 0) return -1;
  for (uint32_t i = 0; i < request->count; i++) {
    Segment& segment = request->segments[i];
    const bool fromGuest = segment.flags == 1;
    Require(fromGuest || segment.flags == 2, "a copy has one foreign end");
    Require(segment.length <= 4096, "no copy is longer than a page");
    auto* local = reinterpret_cast<uint8_t*>(fromGuest ? segment.dest : segment.source);
    const auto offset = static_cast<uint16_t>((fromGuest ? segment.source : segment.dest) >> 32);
    Require(offset + segment.length <= 4096, "no copy crosses a page: it would fail its whole call");
    volatile uint8_t sum = 0;
    for (uint16_t at = 0; at < segment.length; at++)
      if (fromGuest) local[at] = 0x33; else sum = sum + local[at];
    segment.status = static_cast<int16_t>(xen.input->Below(5) == 0 ? -static_cast<int>(xen.input->Below(12)) : 0);
  }
  return 0;
}

void xbbd_fuzz::Run(Input& input) {
  xen.input = &input;
  const Block arena(4 * 4096);
  xbbd::CopierTarget target;
  target.arena = arena.at();
  target.arenaLength = arena.bytes() - input.Below(4096);
  const uint32_t kind = input.Below(3), most = 1 + input.Below(8);
  {
    const auto copier = kind == 0   ? xbbd::NewHypervisorCopier(target)
                        : kind == 1 ? xbbd::NewMappingCopier(target)
                                    : xbbd::NewPersistentCopier(target, most);
    for (int batch = 0; batch < 8 && !input.Ended(); batch++) {
      const uint32_t count = input.Below(input.Below(8) == 0 ? 600 : 24);
      std::vector<int32_t> copies(count * xbbd::kCopyWords);
      for (uint32_t i = 0; i < count; i++) {
        int32_t* words = &copies[i * xbbd::kCopyWords];
        input.Fill(words, xbbd::kCopyWords * sizeof(int32_t));
        if (input.Below(8)) words[0] &= 15, words[1] = (words[1] & 0x0fff0fff), words[2] &= 0x3fff, words[3] &= 1;
      }
      const uint32_t failed = copier->Copy(copies.data(), count);
      uint32_t counted = 0;
      for (uint32_t i = 0; i < count; i++) counted += copies[i * xbbd::kCopyWords + 3] != xbbd::kGrantOkay;
      Require(failed == counted, "as many failed as have a status that says so");
      Require(kind == 2 ? xen.mapped.size() <= most : xen.mapped.empty(), "no more stays mapped than the mode keeps");
    }
  }
  Require(xen.mapped.empty(), "nothing stays mapped when the copier has ended");
}
