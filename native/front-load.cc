// A front end that does nothing but load: for measurements only. It keeps a fixed number of requests in flight on a
// shared ring, puts a slot again as soon as its answer has come, and blocks the thread that calls it meanwhile.
//
//   plan: depth, operation, segments, sectors      run ─► answers ─► slots ─► entries ─► req_prod ─► notify if asked
//
// It is fast on purpose, so that what is measured is the other side: the entry of a slot stands ready but for its
// sector, times are read once per batch, and only words that a request has are written. Its own ceiling is measured
// with Echo, a back end that answers at once. An answer that fits no request in flight ends the run: it is a number
// in the result, not an exception. What must never happen: memory of the guest touched outside of the ring.
#include <napi.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <vector>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHeader = 64;
constexpr size_t kStride = 112;
constexpr uint32_t kMaxPages = 32;
constexpr uint32_t kMaxDirect = 11, kMaxSegments = 512;
constexpr uint32_t kSectorsPerSegment = 8;
constexpr uint8_t kRead = 0, kWrite = 1, kFlush = 3, kDiscard = 5, kIndirect = 6;
/// Nothing for so long while answers are due: the back end is taken for dead.
constexpr uint64_t kStallNs = 10'000'000'000;
/// Latencies: 16 buckets to the octave, from 1 ns to 2^40 ns.
constexpr size_t kSubBuckets = 16, kOctaves = 40;

enum Header : size_t { kReqProd = 0, kReqEvent = 1, kRspProd = 2, kRspEvent = 3 };
enum Result : size_t {
  kRequests, kErrors, kLies, kWallNs, kCpuNs, kP50Ns, kP99Ns, kBatches, kSleeps, kNotifications, kResultWords
};

uint64_t Now(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct Histogram {
  uint64_t counts[kOctaves * kSubBuckets] = {};
  uint64_t total = 0;

  void Add(uint64_t ns) {
    const uint32_t octave = ns < kSubBuckets ? 0 : 63 - static_cast<uint32_t>(__builtin_clzll(ns)) - 3;
    const size_t bucket = octave == 0 ? ns : octave * kSubBuckets + ((ns >> (octave - 1)) & (kSubBuckets - 1));
    counts[bucket < kOctaves * kSubBuckets ? bucket : kOctaves * kSubBuckets - 1]++;
    total++;
  }
  /// The upper bound of the bucket in which this share of all lies.
  double Percentile(double share) const {
    auto left = static_cast<double>(total) * share;
    for (size_t bucket = 0; bucket < kOctaves * kSubBuckets; bucket++) {
      left -= static_cast<double>(counts[bucket]);
      if (left > 0 || counts[bucket] == 0) continue;
      const size_t octave = bucket / kSubBuckets, sub = bucket % kSubBuckets + 1;
      return octave == 0 ? static_cast<double>(sub)
                         : static_cast<double>((kSubBuckets + sub) << (octave - 1));
    }
    return 0;
  }
};

/// What stands in a slot's entry, ready to be copied into the ring; the sector is filled in for each request.
struct Template {
  uint8_t bytes[kStride] = {};
};

/// One end of one ring. A front end has a plan; Echo needs none.
struct Load {
  Borrow memoryBorrow, tellBorrow, hearBorrow;
  uint8_t* ring = nullptr;
  uint32_t size = 0;
  int tell = -1, hear = -1;

  std::vector<Template> templates;
  std::vector<uint64_t> putNs;  // 0 = not in flight
  std::vector<uint32_t> idle;
  size_t entryBytes = 0;
  uint32_t requestSectors = 0;
  uint32_t places = 0;  // how many requests side by side the disk holds
  uint32_t nextPlace = 0;
  bool random = false;
  uint64_t seed = 0;
  uint32_t prod = 0, cons = 0;
  double notifications = 0;

  // SAFETY: the range was checked against a mapping that is borrowed; ring.cc has the same words and barriers.
  uint32_t* Word(Header word) const { return reinterpret_cast<uint32_t*>(ring) + word; }
  uint8_t* Entry(uint32_t index) const { return ring + kHeader + size_t{index & (size - 1)} * kStride; }
  uint32_t InFlight() const { return prod - cons; }

  uint32_t Place() {
    if (!random) {
      nextPlace = nextPlace + 1 < places ? nextPlace + 1 : 0;
      return nextPlace;
    }
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return static_cast<uint32_t>(((seed >> 32) * places) >> 32);
  }

  /// Puts every idle slot and publishes them together.
  void Put(uint64_t now) {
    if (idle.empty()) return;
    const uint32_t before = prod;
    for (const uint32_t slot : idle) {
      uint8_t* entry = Entry(prod++);
      memcpy(entry, templates[slot].bytes, entryBytes);
      const uint64_t sector = uint64_t{Place()} * requestSectors;
      memcpy(entry + 16, &sector, sizeof sector);
      putNs[slot] = now;
    }
    idle.clear();
    __atomic_store_n(Word(kReqProd), prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const uint32_t wanted = __atomic_load_n(Word(kReqEvent), __ATOMIC_RELAXED);
    if (static_cast<uint32_t>(prod - wanted) >= static_cast<uint32_t>(prod - before)) return;
    Kick();
  }

  void Kick() {
    const uint64_t one = 1;
    notifications++;
    // A full counter wakes as well as a set one, so the result does not matter.
    if (tell >= 0 && write(tell, &one, sizeof one) < 0) return;
  }

  /// Takes the answers that wait. Returns how many; counts what was not answered OKAY and what fits no request.
  uint32_t Take(uint64_t* errors, uint64_t* lies) {
    const uint32_t there = __atomic_load_n(Word(kRspProd), __ATOMIC_ACQUIRE);
    const uint32_t count = there - cons;
    if (count == 0) return 0;
    if (count > InFlight()) {
      ++*lies;
      return 0;
    }
    for (; cons != there; cons++) {
      uint64_t id;
      int16_t status;
      memcpy(&id, Entry(cons), sizeof id);
      memcpy(&status, Entry(cons) + 10, sizeof status);
      if (id >= templates.size() || putNs[id] == 0) {
        ++*lies;
        continue;
      }
      if (status != 0) ++*errors;
      idle.push_back(static_cast<uint32_t>(id));
    }
    return count;
  }

  /// Asks for a notification, looks again, and sleeps if nothing has come. Returns whether it slept.
  bool Sleep() {
    __atomic_store_n(Word(kRspEvent), cons + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(Word(kRspProd), __ATOMIC_ACQUIRE) != cons) return false;
    struct pollfd wait = {hear, POLLIN, 0};
    poll(&wait, 1, 1000);
    uint64_t count;
    return read(hear, &count, sizeof count) == sizeof count;
  }
};

struct Loads {
  Slots<Load> slots;
};

Load* Find(const Args& args) {
  uint32_t id;
  return args.Index(0, &id) ? static_cast<Loads*>(args.data)->slots.Find(id) : nullptr;
}

napi_value ThrowNoLoad(napi_env env) { return Throw(env, EBADF, "EBADF: no such load is open on this thread"); }

/// frontLoadOpen(memory, offset, pages, tell, hear) → id. `tell` and `hear` are eventfds, 0 for none.
napi_value FrontLoadOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t memory, tell, hear;
  uint64_t offset, pages;
  if (!args.Handle(0, &memory) || !args.Whole(1, 0x1p40, &offset) || !args.Whole(2, kMaxPages, &pages) || pages == 0 ||
      offset % kPage != 0 || !args.Handle(3, &tell) || !args.Handle(4, &hear))
    return ThrowInvalid(env, "frontLoadOpen takes a mapping, where in it the ring lies, its pages, two eventfds or 0");
  auto load = std::make_unique<Load>();
  Mapping mapping;
  if (!load->memoryBorrow.TakeMapping(memory, &mapping)) return Throw(env, EBADF, "EBADF: no such mapping");
  if (!mapping.writable || offset + pages * kPage > mapping.length)
    return ThrowInvalid(env, "the ring does not lie within a writable mapping");
  if (tell && (load->tell = load->tellBorrow.TakeFd(tell)) < 0) return Throw(env, EBADF, "EBADF: no such eventfd");
  if (hear && (load->hear = load->hearBorrow.TakeFd(hear)) < 0) return Throw(env, EBADF, "EBADF: no such eventfd");
  load->ring = mapping.address + offset;
  load->size = 1;
  while (kHeader + size_t{load->size} * 2 * kStride <= pages * kPage) load->size *= 2;
  const uint32_t id = static_cast<Loads*>(args.data)->slots.Add(load);
  return id ? Unsigned(env, id) : Throw(env, EMFILE, "EMFILE: 1024 loads are open on this thread");
}

/// An entry with its segments; with more than it has room for, they stand in the page of descriptors that is named.
void FillSegments(uint8_t* bytes, uint8_t op, uint32_t segments, const int32_t* grefs) {
  if (segments > kMaxDirect) {
    const auto count = static_cast<uint16_t>(segments);
    bytes[0] = kIndirect;
    bytes[1] = op;
    memcpy(bytes + 2, &count, sizeof count);
    memcpy(bytes + 28, grefs, 4);
    return;
  }
  bytes[0] = op;
  bytes[1] = static_cast<uint8_t>(segments);
  for (uint32_t segment = 0; segment < segments; segment++) {
    memcpy(bytes + 24 + segment * 8, grefs + segment, 4);
    bytes[24 + segment * 8 + 5] = kSectorsPerSegment - 1;
  }
}

/// frontLoadPlan(id, [depth, operation, segments, sectors of the disk, random, seed], grefs)
/// `grefs`: of every slot those of its segments, or with more than eleven that of its page of descriptors
napi_value FrontLoadPlan(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Load* load = Find(args);
  int32_t *plan, *grefs;
  size_t words, grefCount;
  if (!load) return ThrowNoLoad(env);
  if (!args.Words(1, &plan, &words) || words < 6 || !args.Words(2, &grefs, &grefCount))
    return ThrowInvalid(env, "frontLoadPlan takes six words and the grant references of every slot");
  const auto depth = static_cast<uint32_t>(plan[0]), segments = static_cast<uint32_t>(plan[2]);
  const auto op = static_cast<uint8_t>(plan[1]);
  const bool data = op == kRead || op == kWrite;
  const bool indirect = segments > kMaxDirect;
  const size_t perSlot = indirect ? 1 : segments;
  const uint32_t sectors = data ? segments * kSectorsPerSegment : kSectorsPerSegment;
  if (load->InFlight() != 0) return Throw(env, EBUSY, "EBUSY: requests of the plan before are in flight");
  if (depth == 0 || depth > load->size || segments > kMaxSegments || (segments > 0) != data ||
      depth * perSlot > grefCount || static_cast<uint32_t>(plan[3]) < sectors ||
      (!data && op != kFlush && op != kDiscard))
    return ThrowInvalid(env, "the plan does not fit the ring, the operation or the grants");
  load->requestSectors = op == kFlush ? 0 : sectors;
  load->places = static_cast<uint32_t>(plan[3]) / sectors;
  load->random = plan[4] != 0;
  load->seed = 0x9e3779b97f4a7c15 ^ static_cast<uint32_t>(plan[5]);
  load->entryBytes = indirect ? 60 : 24 + (data ? segments * 8 : 8);
  load->templates.assign(depth, Template());
  load->putNs.assign(depth, 0);
  load->idle.clear();
  load->idle.reserve(depth);
  for (uint32_t slot = 0; slot < depth; slot++) {
    uint8_t* bytes = load->templates[slot].bytes;
    const uint64_t id = slot;
    FillSegments(bytes, op, segments, grefs + slot * perSlot);
    memcpy(bytes + 8, &id, sizeof id);
    const uint64_t discarded = sectors;
    if (op == kDiscard) memcpy(bytes + 24, &discarded, sizeof discarded);
    load->idle.push_back(slot);
  }
  load->prod = load->cons = __atomic_load_n(load->Word(kReqProd), __ATOMIC_ACQUIRE);
  return Undefined(env);
}

void Report(double* out, const Load& load, const Histogram& latencies) {
  out[kP50Ns] = latencies.Percentile(0.5);
  out[kP99Ns] = latencies.Percentile(0.99);
  out[kNotifications] = load.notifications;
}

/// frontLoadRun(id, milliseconds, requests, sleep, out): until the time is over or so many are answered (0 = no end)
napi_value FrontLoadRun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Load* load = Find(args);
  uint64_t milliseconds, most;
  bool sleep;
  uint8_t* bytes;
  size_t length;
  if (!load) return ThrowNoLoad(env);
  if (!args.Whole(1, 86'400'000, &milliseconds) || !args.Whole(2, 0x1p53, &most) || !args.Flag(3, &sleep) ||
      !args.Bytes(4, &bytes, &length) || length < kResultWords * sizeof(double) || load->templates.empty() ||
      (milliseconds == 0 && most == 0) || (sleep && load->hear < 0))
    return ThrowInvalid(env, "frontLoadRun takes a time, a number of requests, whether to sleep, and ten doubles");
  auto histogram = std::make_unique<Histogram>();
  uint64_t requests = 0, errors = 0, lies = 0, batches = 0, sleeps = 0, looks = 0;
  load->notifications = 0;
  const uint64_t cpu = Now(CLOCK_THREAD_CPUTIME_ID), began = Now(CLOCK_MONOTONIC);
  const uint64_t until = milliseconds ? began + milliseconds * 1'000'000 : UINT64_MAX;
  uint64_t now = began, lastAnswer = began;
  bool ending = false;
  load->Put(now);
  while (load->InFlight() > 0 && lies == 0) {
    const uint32_t from = load->cons;
    const size_t idleBefore = load->idle.size();
    const uint32_t count = load->Take(&errors, &lies);
    if (count == 0) {
      if (sleep) sleeps += load->Sleep();
      else Relax();
      if (!sleep && (++looks & 1023) != 0) continue;
      now = Now(CLOCK_MONOTONIC);
      if (now - lastAnswer > kStallNs) lies++;
      if (now >= until) ending = true;
      continue;
    }
    now = lastAnswer = Now(CLOCK_MONOTONIC);
    for (size_t i = idleBefore; i < load->idle.size(); i++) {
      uint64_t& put = load->putNs[load->idle[i]];
      histogram->Add(now - put);
      put = 0;
    }
    requests += load->cons - from;
    batches++;
    if (now >= until || (most && requests + load->InFlight() >= most)) ending = true;
    if (!ending) load->Put(now);
  }
  // SAFETY: V8 aligns a Float64Array; its length was checked.
  auto* out = reinterpret_cast<double*>(bytes);
  out[kWallNs] = static_cast<double>(Now(CLOCK_MONOTONIC) - began);
  out[kCpuNs] = static_cast<double>(Now(CLOCK_THREAD_CPUTIME_ID) - cpu);
  out[kRequests] = static_cast<double>(requests);
  out[kErrors] = static_cast<double>(errors);
  out[kLies] = static_cast<double>(lies);
  out[kBatches] = static_cast<double>(batches);
  out[kSleeps] = static_cast<double>(sleeps);
  Report(out, *load, *histogram);
  return Undefined(env);
}

/// frontLoadStep(id, more) → answers taken, or -1 for a wrong one. For a front end that shares its thread.
napi_value FrontLoadStep(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Load* load = Find(args);
  bool more;
  uint64_t errors = 0, lies = 0;
  if (!load) return ThrowNoLoad(env);
  if (!args.Flag(1, &more)) return ThrowInvalid(env, "frontLoadStep takes whether to put more");
  const uint32_t count = load->Take(&errors, &lies);
  if (errors + lies > 0) return Signed(env, -1);
  if (more) load->Put(1);
  return Signed(env, static_cast<int32_t>(count));
}

/// frontLoadEcho(id, milliseconds) → requests. Answers at once, until for so long nothing came; 0 = what waits now.
napi_value FrontLoadEcho(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Load* load = Find(args);
  uint64_t milliseconds;
  if (!load) return ThrowNoLoad(env);
  if (!args.Whole(1, 60'000, &milliseconds)) return ThrowInvalid(env, "frontLoadEcho takes how long to wait");
  uint64_t answered = 0, looks = 0, last = milliseconds ? Now(CLOCK_MONOTONIC) : 0;
  uint32_t cons = __atomic_load_n(load->Word(kRspProd), __ATOMIC_ACQUIRE);
  for (;;) {
    const uint32_t there = __atomic_load_n(load->Word(kReqProd), __ATOMIC_ACQUIRE);
    if (there == cons) {
      if (milliseconds == 0) return Number(env, static_cast<double>(answered));
      Relax();
      if ((++looks & 1023) != 0) continue;
      if (Now(CLOCK_MONOTONIC) - last > milliseconds * 1'000'000) return Number(env, static_cast<double>(answered));
      continue;
    }
    if (static_cast<uint32_t>(there - cons) > load->size) return Number(env, -1);
    answered += static_cast<uint32_t>(there - cons);
    const uint32_t before = cons;
    for (; cons != there; cons++) {
      uint8_t* entry = load->Entry(cons);
      uint64_t id;
      memcpy(&id, entry + 8, sizeof id);
      const uint32_t tail[2] = {entry[0] == kIndirect ? entry[1] : entry[0], 0};
      memcpy(entry, &id, sizeof id);
      memcpy(entry + 8, tail, sizeof tail);
    }
    __atomic_store_n(load->Word(kRspProd), cons, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const uint32_t wanted = __atomic_load_n(load->Word(kRspEvent), __ATOMIC_RELAXED);
    if (static_cast<uint32_t>(cons - wanted) < static_cast<uint32_t>(cons - before)) load->Kick();
    if (milliseconds && (answered & 0xfff) < size_t{cons - before}) last = Now(CLOCK_MONOTONIC);
  }
}

/// threadCpuNs() → CPU time of the calling thread so far
napi_value ThreadCpuNs(napi_env env, napi_callback_info) {
  return Number(env, static_cast<double>(Now(CLOCK_THREAD_CPUTIME_ID)));
}

napi_value FrontLoadClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t id;
  if (!args.Index(0, &id) || !static_cast<Loads*>(args.data)->slots.Remove(id)) return ThrowNoLoad(env);
  return Undefined(env);
}

}  // namespace
}  // namespace xbbd

void InitFrontLoad(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* loads = new Loads;
  napi_add_env_cleanup_hook(env, [](void* data) { delete static_cast<Loads*>(data); }, loads);
  Export(env, exports, "frontLoadOpen", FrontLoadOpen, loads);
  Export(env, exports, "frontLoadPlan", FrontLoadPlan, loads);
  Export(env, exports, "frontLoadRun", FrontLoadRun, loads);
  Export(env, exports, "frontLoadStep", FrontLoadStep, loads);
  Export(env, exports, "frontLoadEcho", FrontLoadEcho, loads);
  Export(env, exports, "frontLoadClose", FrontLoadClose, loads);
  Export(env, exports, "threadCpuNs", ThreadCpuNs);
}
