#include "drivers/vmwarefusion/leases.h"

#include <arpa/inet.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace machine::driver::vmwarefusion {
namespace {

bool IsAddress(const std::string& text) {
  in_addr address = {};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

// macOS leaves out leading zeros: "1,0:50:56:1:2:3".
std::string FullMac(absl::string_view text) {
  text = text.substr(text.find(',') + 1);
  std::vector<std::string> parts = absl::StrSplit(absl::AsciiStrToLower(text), ':');
  for (std::string& part : parts) {
    if (part.size() == 1) part.insert(part.begin(), '0');
  }
  return absl::StrJoin(parts, ":");
}

}  // namespace

std::string LeasedAddress(absl::string_view text, absl::string_view mac) {
  std::string found;
  std::string address;
  bool ours = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripSuffix(absl::StripAsciiWhitespace(line), ";");
    if (absl::ConsumePrefix(&line, "lease ")) {
      // lease 192.168.5.128 {
      address = std::string(line.substr(0, line.find(' ')));
      ours = false;
    } else if (line == "{") {
      address.clear();
      ours = false;
    } else if (absl::ConsumePrefix(&line, "ip_address=")) {
      address = std::string(line);
    } else if (absl::ConsumePrefix(&line, "hw_address=")) {
      ours = FullMac(line) == mac;
    } else if (absl::ConsumePrefix(&line, "hardware ethernet ")) {
      ours = absl::AsciiStrToLower(line) == mac;
    } else if (line == "}") {
      if (ours && IsAddress(address)) found = address;
      address.clear();
      ours = false;
    }
  }
  return found;
}

}  // namespace machine::driver::vmwarefusion
