// JSON of providers and engines, which may be anything.
#include "drivers/sdk/cloud/json.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace machine::driver;  // NOLINT(google-build-using-namespace): a target of one library
  const Json json = ParseJson(machine::fuzz::TextOf(data, size));
  if (json.is_discarded()) return 0;
  for (const Json& droplet : Elements(json, "droplets")) {
    Text(droplet, "name");
    Number(droplet, "id");
    Decimal(droplet, "price");
    Flag(droplet, "locked");
    Texts(droplet, "tags");
    Member(Member(droplet, "networks"), "v4");
  }
  machine::fuzz::Expect(!ParseJson(DumpJson(json)).is_discarded(), "it does not read its own text");
  return 0;
}
