// The config.json of machines that another docker-machine made.
#include "services/orchestrator/import/legacy_entry.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using machine::orchestrator::ParseLegacyEntry;
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  const auto entry = ParseLegacyEntry(text);
  const auto upgraded = machine::orchestrator::ToLegacyVersion3(text);
  if (!entry.ok()) {
    machine::fuzz::Expect(absl::IsFailedPrecondition(entry.status()), "not FAILED_PRECONDITION");
    return 0;
  }
  machine::fuzz::Expect(!entry->driver.empty(), "an entry without a driver");
  machine::fuzz::Expect(entry->version >= 0 && entry->version <= 3, "a version nobody wrote");
  machine::fuzz::Expect(upgraded.ok(), "an entry that cannot be upgraded");
  return 0;
}
