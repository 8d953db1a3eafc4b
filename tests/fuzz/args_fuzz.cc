// Command lines: an argument a line.
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "cli/args/flags.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using machine::cli::FlagType;
  static const auto& flags = *new std::vector<machine::cli::Flag>{
      {.names = {"driver", "d"}, .usage = "Driver", .default_value = "none"},
      {.names = {"force", "f"}, .type = FlagType::kBool, .usage = "Force"},
      {.names = {"timeout", "t"},
       .type = FlagType::kInt,
       .usage = "Seconds",
       .default_value = "10"},
      {.names = {"filter"}, .type = FlagType::kList, .usage = "Filter"},
  };
  const std::vector<std::string> args =
      absl::StrSplit(machine::fuzz::TextOf(data, size), '\n', absl::SkipEmpty());
  const machine::cli::FakeEnvironment environment;
  const auto parsed = machine::cli::ParseArgs(flags, args, environment);
  if (!parsed.ok()) {
    machine::fuzz::Expect(absl::IsInvalidArgument(parsed.status()), "not INVALID_ARGUMENT");
    return 0;
  }
  machine::fuzz::Expect(parsed->operands.size() <= args.size(), "more operands than arguments");
  machine::fuzz::Expect(parsed->List("filter").size() <= args.size(), "more values than arguments");
  machine::cli::PeekFlag(args, {"driver", "d"});
  machine::cli::GoQuote(parsed->String("driver"));
  return 0;
}
