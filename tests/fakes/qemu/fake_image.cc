#include "tests/fakes/qemu/fake_image.h"

#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

int Refuse(const std::string& message) {
  std::cerr << "qemu-img: " << message << "\n";
  return 1;
}

int Info(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4 || arguments[1] != "--output=json" || arguments[2] != "--") {
    return Refuse("info: unexpected arguments");
  }
  const absl::StatusOr<std::string> text = common::ReadFile(arguments[3]);
  if (!text.ok()) return Refuse("Could not open '" + arguments[3] + "': No such file or directory");
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) json = {{"format", "raw"}, {"virtual-size", text->size()}};
  json["filename"] = arguments[3];
  std::cout << json.dump() << "\n";
  return 0;
}

int Create(const std::vector<std::string>& arguments) {
  const std::vector<std::string> fixed = {"create", "-q", "-f", "qcow2", "-F"};
  if (arguments.size() != 11 || !std::equal(fixed.begin(), fixed.end(), arguments.begin()) ||
      arguments[6] != "-b" || arguments[8] != "--") {
    return Refuse("create: unexpected arguments");
  }
  const std::string& base = arguments[7];
  absl::string_view size = arguments[10];
  int64_t mib = 0;
  if (!absl::ConsumeSuffix(&size, "M") || !absl::SimpleAtoi(size, &mib)) {
    return Refuse("Invalid image size specified");
  }
  if (base.empty() || base[0] != '/' || !common::ReadFile(base).ok()) {
    return Refuse("Could not open '" + base + "': No such file or directory");
  }
  const Json image = {{"format", "qcow2"},
                      {"virtual-size", mib << 20},
                      {"backing-filename", base},
                      {"backing-filename-format", arguments[5]}};
  return common::WriteFileAtomically(arguments[9], image.dump(), 0600, {.fsync = false}).ok()
             ? 0
             : Refuse("cannot write " + arguments[9]);
}

}  // namespace

int RunFakeImage(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "info") return Info(arguments);
  if (!arguments.empty() && arguments[0] == "create") return Create(arguments);
  return Refuse("unknown command");
}

}  // namespace machine::fakes
