// The guest's part of the contract suites (test/contract), played in a real domU: grants pages to domain 0, takes them
// back, offers ports, notifies. It decides nothing; dom0 tells it what to do through a page that it grants first
// (test/xen/dom0/guest-peer.ts is the other end, and has the same numbers).
//
//   control page, words:  0 request, 1 answer, 2 operation, 3.. arguments, 8 result (>= 0, or -errno), 9 value
//   data page             references, or the bytes of one page
//
// dom0 writes the arguments, then counts `request` up; the peer acts, then sets `answer` to it. At its start it says
// the references of both pages on standard output. Devices and numbers are those of Linux's uapi headers.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { kPage = 4096, kMostGrefs = 1 << 16, kMostPorts = 4096, kListed = kPage / 4 };
enum Operation {
  kGrant = 1,   // count, writable        → references in the data page
  kRevoke = 2,  // count; references in the data page
  kPeek = 3,    // reference, word        → value
  kPoke = 4,    // reference, word, value
  kRead = 5,    // reference              → the page's bytes in the data page
  kWrite = 6,   // reference; bytes in the data page
  kOffer = 7,   // → a port that domain 0 may bind
  kRetract = 8, // port
  kNotify = 9,  // port, how often
  kHeard = 10,  // port                   → how many events came since it was last asked
  kStorm = 11,  // port, reference, kicks, longest pause in us, seed: answered before it begins
};

struct AllocGref { uint16_t domid, flags; uint32_t count; uint64_t index; uint32_t gref; };
struct DeallocGref { uint64_t index; uint32_t count; };
struct BindUnbound { uint32_t remote_domain; };
struct Port { uint32_t port; };
_Static_assert(sizeof(struct AllocGref) == 24 && sizeof(struct DeallocGref) == 16, "as the kernel has them");

#define ALLOC_GREF _IOC(_IOC_NONE, 'G', 5, sizeof(struct AllocGref))
#define DEALLOC_GREF _IOC(_IOC_NONE, 'G', 6, sizeof(struct DeallocGref))
#define BIND_UNBOUND _IOC(_IOC_NONE, 'E', 2, sizeof(struct BindUnbound))
#define UNBIND _IOC(_IOC_NONE, 'E', 3, sizeof(struct Port))
#define NOTIFY _IOC(_IOC_NONE, 'E', 4, sizeof(struct Port))

struct Granted { void* page; uint64_t index; };
static struct Granted granted[kMostGrefs];
static uint32_t heard[kMostPorts];
static int gntalloc, evtchn;

// One page, granted to domain 0 and mapped here. @returns its reference, or -errno.
static int grant(int writable) {
  struct AllocGref request = {0, writable ? 1 : 0, 1, 0, 0};
  if (ioctl(gntalloc, ALLOC_GREF, &request) < 0) return -errno;
  void* page = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, gntalloc, (off_t)request.index);
  if (page == MAP_FAILED) return -errno;
  if (request.gref >= kMostGrefs) return -ERANGE;
  granted[request.gref] = (struct Granted){page, request.index};
  return (int)request.gref;
}

static int take_back(uint32_t gref) {
  if (gref >= kMostGrefs || !granted[gref].page) return -ENOENT;
  struct DeallocGref request = {granted[gref].index, 1};
  munmap(granted[gref].page, kPage);
  granted[gref].page = NULL;
  return ioctl(gntalloc, DEALLOC_GREF, &request) < 0 ? -errno : 0;
}

static int with_port(unsigned long request, uint32_t port) {
  struct Port argument = {port};
  return ioctl(evtchn, request, &argument) < 0 ? -errno : 0;
}

// Counts what came, and lets more come.
static void listen_to_events(void) {
  uint32_t port;
  while (read(evtchn, &port, sizeof port) == sizeof port) {
    if (port < kMostPorts) heard[port]++;
    if (write(evtchn, &port, sizeof port) < 0) return;
  }
}

// Says in word 0 of the page how often it has kicked, always before the kick; in word 1 when it is done. Whoever looks
// at the page after each wake-up has seen the last number in the end, or a wake-up was lost.
static void storm(uint32_t port, volatile uint32_t* words, uint32_t kicks, uint32_t pause, uint32_t seed) {
  srand(seed);
  for (uint32_t kick = 1; kick <= kicks; kick++) {
    words[0] = kick;
    __sync_synchronize();
    with_port(NOTIFY, port);
    struct timespec until, now;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t end = until.tv_sec * 1000000ull + until.tv_nsec / 1000 + (pause ? (uint32_t)rand() % pause : 0);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec * 1000000ull + now.tv_nsec / 1000 < end);
  }
  words[1] = kicks;
}

static int act(volatile uint32_t* control, uint32_t* data) {
  const uint32_t a = control[3], b = control[4], c = control[5];
  void* page = a < kMostGrefs ? granted[a].page : NULL;
  switch (control[2]) {
    case kGrant:
      for (uint32_t i = 0; i < a && i < kListed; i++) {
        const int gref = grant((int)b);
        if (gref < 0) return gref;
        data[i] = (uint32_t)gref;
      }
      return 0;
    case kRevoke:
      for (uint32_t i = 0; i < a && i < kListed; i++) {
        const int failed = take_back(data[i]);
        if (failed) return failed;
      }
      return 0;
    case kPeek:
      if (!page || b >= kListed) return -ENOENT;
      control[9] = ((volatile uint32_t*)page)[b];
      return 0;
    case kPoke:
      if (!page || b >= kListed) return -ENOENT;
      ((volatile uint32_t*)page)[b] = c;
      return 0;
    case kRead:
      if (!page) return -ENOENT;
      memcpy(data, page, kPage);
      return 0;
    case kWrite:
      if (!page) return -ENOENT;
      memcpy(page, data, kPage);
      return 0;
    case kOffer: {
      struct BindUnbound request = {0};
      const int port = ioctl(evtchn, BIND_UNBOUND, &request);
      if (port < 0) return -errno;
      if (port < kMostPorts) heard[port] = 0;
      return port;
    }
    case kRetract: return with_port(UNBIND, a);
    case kNotify:
      for (uint32_t i = 0; i < b; i++) {
        const int failed = with_port(NOTIFY, a);
        if (failed) return failed;
      }
      return 0;
    case kHeard: {
      listen_to_events();
      if (a >= kMostPorts) return -ERANGE;
      const int count = (int)heard[a];
      heard[a] = 0;
      return count;
    }
    case kStorm: return b < kMostGrefs && granted[b].page ? 0 : -ENOENT;
    default: return -ENOSYS;
  }
}

int main(void) {
  gntalloc = open("/dev/xen/gntalloc", O_RDWR);
  evtchn = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK);
  const int controlGref = gntalloc < 0 || evtchn < 0 ? -errno : grant(1), dataGref = controlGref < 0 ? 0 : grant(1);
  if (controlGref < 0 || dataGref < 0) {
    printf("error %d\n", controlGref < 0 ? controlGref : dataGref);
    return 1;
  }
  volatile uint32_t* control = granted[controlGref].page;
  uint32_t* data = granted[dataGref].page;
  printf("grefs %d %d\n", controlGref, dataGref);
  fflush(stdout);
  for (uint32_t done = 0, idle = 0;;) {
    if (__atomic_load_n(&control[0], __ATOMIC_ACQUIRE) == done) {
      if (++idle > 500) usleep(200);
      continue;
    }
    idle = 0;
    control[8] = (uint32_t)act(control, data);
    const uint32_t operation = control[2], arguments[] = {control[3], control[4], control[5], control[6], control[7]};
    const int begins = operation == kStorm && control[8] == 0;
    __atomic_store_n(&control[1], ++done, __ATOMIC_RELEASE);
    if (begins) storm(arguments[0], granted[arguments[1]].page, arguments[2], arguments[3], arguments[4]);
  }
}
