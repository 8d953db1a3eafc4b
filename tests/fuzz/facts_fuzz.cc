// What a host says of itself, os-release included: a host is not trusted.
#include "services/provisioner/detect/facts.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  machine::provisioner::Facts facts;
  const absl::Status status =
      machine::provisioner::ParseFacts(machine::fuzz::TextOf(data, size), facts);
  machine::fuzz::Expect(status.ok() || facts.os_id.empty(), "facts of output that was refused");
  return 0;
}
