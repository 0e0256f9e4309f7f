// Where libFuzzer enters every harness.
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  xbbd_fuzz::Input input(bytes, length);
  xbbd_fuzz::Run(input);
  return 0;
}
