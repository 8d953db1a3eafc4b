// Templates of --format, on what `inspect` prints.
#include "cli/output/go_template.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto& facts = *new nlohmann::json(nlohmann::json::parse(
      R"({"Name": "dev", "Driver": {"IPAddress": "192.0.2.7", "SSHPort": 22}, "Running": true,
          "Tags": ["a", "b"], "Nothing": null, "Ratio": 1.5})"));
  const auto parsed = machine::cli::GoTemplate::Parse(machine::fuzz::TextOf(data, size));
  const absl::Status status = parsed.ok() ? parsed->Execute(facts).status() : parsed.status();
  machine::fuzz::Expect(status.ok() || absl::IsInvalidArgument(status), "not INVALID_ARGUMENT");
  machine::fuzz::Expect(status.ok() || !status.message().empty(), "no message");
  return 0;
}
