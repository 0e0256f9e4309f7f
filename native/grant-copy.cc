// The default way to a guest's pages: Xen copies, and nothing is mapped. One ioctl takes the whole batch, in both
// directions; the kernel cuts it into hypercalls.
//
// What Linux and Xen make of a bad element, and what therefore happens here:
//   a bad reference, a dead domain                   fails alone, its status says so
//   offset + length beyond a page, a bad address     fails the whole call: such elements are kept out (ReadCopy)
//   the call fails nonetheless                       statuses are undefined: every element that was in it has failed
#include <sys/ioctl.h>

#include <cerrno>
#include <vector>

#include "gntdev.h"

namespace xbbd {
namespace {

/// struct gntdev_grant_copy_segment
struct Segment {
  union Place {
    uint64_t pointer;
    struct {
      uint32_t ref;
      uint16_t offset, domid;
    } foreign;
  } source, dest;
  uint16_t len, flags;
  int16_t status;
};
/// struct ioctl_gntdev_grant_copy
struct CopyRequest {
  uint32_t count;
  Segment* segments;
};
static_assert(sizeof(Segment) == 24 && sizeof(CopyRequest) == 16, "as the kernel has them");

constexpr unsigned long kGrantCopy = _IOC(_IOC_NONE, 'G', 8, sizeof(CopyRequest));
constexpr uint16_t kSourceGref = 1, kDestGref = 2;  // GNTCOPY_source_gref, GNTCOPY_dest_gref

class HypervisorCopier final : public GrantCopier {
 public:
  explicit HypervisorCopier(const CopierTarget& target) : target_(target) {}

  uint32_t Copy(int32_t* copies, uint32_t count) override {
    segments_.clear();
    for (uint32_t i = 0; i < count; i++) {
      int32_t* words = copies + size_t{i} * kCopyWords;
      GrantCopy copy;
      const bool good = ReadCopy(words, target_.arenaLength, &copy);
      words[3] = good ? kGrantOkay : kGrantGeneralError;
      if (good) segments_.push_back(SegmentOf(copy));
    }
    const bool whole = segments_.empty() || Call();
    uint32_t failed = 0, next = 0;
    for (uint32_t i = 0; i < count; i++) {
      int32_t* words = copies + size_t{i} * kCopyWords;
      if (words[3] == kGrantOkay) words[3] = whole ? segments_[next++].status : kGrantGeneralError;
      if (words[3] != kGrantOkay) failed++;
    }
    return failed;
  }

 private:
  Segment SegmentOf(const GrantCopy& copy) const {
    Segment::Place guest, local;
    guest.foreign = {copy.gref, static_cast<uint16_t>(copy.offset), static_cast<uint16_t>(target_.domid)};
    // SAFETY: ReadCopy held place and length against the arena, which is borrowed.
    local.pointer = reinterpret_cast<uint64_t>(target_.arena + copy.place);
    Segment segment = {};
    segment.source = copy.toGuest ? local : guest;
    segment.dest = copy.toGuest ? guest : local;
    segment.len = static_cast<uint16_t>(copy.length);
    segment.flags = copy.toGuest ? kDestGref : kSourceGref;
    return segment;
  }

  bool Call() {
    CopyRequest request = {static_cast<uint32_t>(segments_.size()), segments_.data()};
    counts.calls++;
    return ioctl(target_.gntdev, kGrantCopy, &request) == 0;
  }

  CopierTarget target_;
  std::vector<Segment> segments_;
};

}  // namespace

std::unique_ptr<GrantCopier> NewHypervisorCopier(const CopierTarget& target) {
  return std::make_unique<HypervisorCopier>(target);
}

}  // namespace xbbd
