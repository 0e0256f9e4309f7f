// Requests of any content at the engine that executes them itself (inline.cc, blocking-io.cc), over a file in memory:
// each is taken at most once and ends exactly once, what is refused touches nothing, arena and file are not left, and a
// result never claims more than was asked for.
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "../engine.h"
#include "fuzz.h"

using namespace xbbd_fuzz;

namespace {

constexpr uint32_t kFileBytes = 1 << 16;

void Make(Input& input, int32_t* words, int32_t token) {
  input.Fill(words, xbbd::kIoWords * sizeof(int32_t));
  words[1] = token;
  if (input.Below(4) == 0) return;
  // Mostly something that can be done: whole sectors, in the file, neighbours among them.
  words[0] = static_cast<int32_t>(input.Below(6));
  words[2] = static_cast<int32_t>(input.Below(8) * 512);
  words[3] = static_cast<int32_t>(input.Below(10) * 512);
  words[4] = static_cast<int32_t>(input.Below(kFileBytes / 512) * 512);
  words[5] = words[6] = 0;
}

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  static const int file = memfd_create("fuzz", 0);
  if (ftruncate(file, 0) || ftruncate(file, kFileBytes)) return;
  const Block arena(3 * 4096);
  xbbd::EngineTarget target;
  target.fd = file;
  target.arena = {arena.at(), arena.bytes() - 512 * input.Below(4), true};
  target.bytes = kFileBytes - 512 * input.Below(8);
  target.sectorSize = input.Below(4) ? 512 : 4096;
  target.depth = 1 + input.Below(40);
  target.readOnly = input.Below(8) == 0;
  target.canDiscard = input.Below(2);
  target.discardZeroes = input.Below(2);
  target.mergeBytes = input.Below(2) ? 1 << input.Below(18) : 0;
  const auto engine = xbbd::NewInlineEngine(target);
  Require(engine->Start() == 0, "it starts");
  std::map<int32_t, std::vector<int32_t>> asked;
  int32_t token = 0;
  for (int step = 0; step < 24 && !input.Ended(); step++) {
    const uint32_t count = input.Below(48);
    std::vector<int32_t> requests(count * xbbd::kIoWords);
    for (uint32_t i = 0; i < count; i++) Make(input, &requests[i * xbbd::kIoWords], token + static_cast<int32_t>(i));
    const uint32_t taken = engine->Submit(requests.data(), count);
    Require(taken <= count, "no more is taken than was offered");
    for (uint32_t i = 0; i < taken; i++)
      asked[token + static_cast<int32_t>(i)] = {&requests[i * xbbd::kIoWords], &requests[(i + 1) * xbbd::kIoWords]};
    token += static_cast<int32_t>(count);
    Require(engine->InFlight() == asked.size(), "in flight is what was taken and not reaped");
    std::vector<int32_t> results(size_t{1 + input.Below(64)} * xbbd::kResultWords);
    const uint32_t reaped = engine->Reap(results.data(), static_cast<uint32_t>(results.size() / xbbd::kResultWords));
    for (uint32_t i = 0; i < reaped; i++) {
      const auto found = asked.find(results[i * xbbd::kResultWords]);
      Require(found != asked.end(), "each result is of a request that was taken, once");
      const xbbd::IoRequest request = xbbd::ReadRequest(found->second.data());
      const int32_t result = results[i * xbbd::kResultWords + 1], refusal = xbbd::RefusalOf(request, target);
      if (refusal) Require(result == refusal, "a bad request is refused");
      Require(result <= 0 || static_cast<uint64_t>(result) <= request.length, "no result claims more than was asked for");
      asked.erase(found);
    }
  }
  std::vector<int32_t> rest(asked.size() * xbbd::kResultWords);
  Require(engine->Reap(rest.data(), static_cast<uint32_t>(asked.size())) == asked.size(), "each request ends");
  Require(lseek(file, 0, SEEK_END) == kFileBytes, "the file is as long as it was");
}
