// The embedded grant copy (granted-copy.h) over tables and lists of any content. Nothing is touched beyond memory, table
// and arena; a copy that fails moves nothing; one that succeeds moved just its bytes.
#include "../granted-copy.h"
#include "fuzz.h"

#include <vector>

using namespace xbbd_fuzz;

namespace {

std::vector<uint8_t> Copied(const Block& block) { return {block.at(), block.at() + block.bytes()}; }

/// Bytes of `block` that differ from `before` and lie outside of [at, at + length).
bool ChangedElsewhere(const Block& block, const std::vector<uint8_t>& before, size_t at, size_t length) {
  return memcmp(block.at(), before.data(), at) != 0 ||
         memcmp(block.at() + at + length, before.data() + at + length, block.bytes() - at - length) != 0;
}

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  const Block memory(3 * 4096), table(4096), arena(2 * 4096);
  xbbd::GrantedPlaces places;
  places.memory = {memory.at(), memory.bytes(), true};
  places.table = {table.at(), 8 * (1 + input.Below(512)), true};
  places.arena = {arena.at(), arena.bytes() - input.Below(4096), true};
  places.domid = input.Below(4);
  input.Fill(table.at(), 256);
  for (int step = 0; step < 16 && !input.Ended(); step++) {
    if (input.Below(3) == 0) input.Fill(table.at() + 8 * input.Below(500), 16);
    int32_t copy[4];
    input.Fill(copy, sizeof copy);
    if (input.Below(2)) copy[0] &= 31, copy[2] &= 0x1fff, copy[3] &= 1;
    const auto guest = Copied(memory), own = Copied(arena);
    const int32_t status = xbbd::CopyGranted(places, copy);
    const size_t place = static_cast<uint32_t>(copy[2]), moved = static_cast<uint32_t>(copy[1]) >> 16;
    Require(status == 0 || status == -1 || status == -3, "a status that grant_table.h has");
    if (status != 0 || copy[3] == 1) Require(Copied(arena) == own, "the arena is as it was");
    if (status != 0 || copy[3] == 0) Require(Copied(memory) == guest, "the guest's memory is as it was");
    if (status != 0) continue;
    Require(place + moved <= places.arena.length, "a copy stays in the arena");
    if (copy[3] == 0) Require(!ChangedElsewhere(arena, own, place, moved), "just the bytes that were named");
  }
}
