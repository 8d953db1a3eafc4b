#include "drivers/hyper-v/scripts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/hyper-v/images.h"
#include "drivers/hyper-v/powershell.h"

namespace machine::driver::hyperv {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Cmdlets with those of their parameters that the scripts may use, and where each was looked up.
const std::map<std::string, std::set<std::string>>& Cmdlets() {
  static const auto* const kCmdlets = new std::map<std::string, std::set<std::string>>{
      // github.com/MicrosoftDocs/windows-powershell-docs, docset/winserver2022-ps/Hyper-V/NAME.md.
      {"Add-VMDvdDrive", {"VM", "Path"}},
      {"Get-VMHardDiskDrive", {"VM"}},
      {"New-VM", {"Name", "Generation", "MemoryStartupBytes", "VHDPath", "SwitchName", "Path"}},
      {"Remove-VM", {"VM", "Force"}},
      {"Remove-VMSavedState", {"VM"}},
      {"Resize-VHD", {"Path", "SizeBytes"}},
      {"Resume-VM", {"VM"}},
      {"Set-VM", {"VM", "Notes", "AutomaticCheckpointsEnabled", "AutomaticStopAction"}},
      {"Set-VMFirmware", {"VM", "EnableSecureBoot", "FirstBootDevice"}},
      {"Set-VMNetworkAdapterVlan", {"VM", "Access", "VlanId"}},
      {"Stop-VM", {"VM", "TurnOff", "Confirm"}},
      // The same, docset/winserver2019-ps/Hyper-V/NAME.md.
      {"Set-VMNetworkAdapter", {"VM", "StaticMacAddress"}},
      // Their pages are not in what could be searched: as minikube (Hyper-V driver), HashiCorp's
      // packer-plugin-hyperv and docker/machine (drivers/hyperv) call them.
      {"Convert-VHD", {"Path", "DestinationPath", "VHDType"}},
      {"Get-NetNeighbor", {"LinkLayerAddress", "AddressFamily", "ErrorAction"}},
      {"Get-VHD", {"Path"}},
      {"Get-VM", {}},
      {"Get-VMSwitch", {}},
      {"Set-VMMemory", {"VM", "DynamicMemoryEnabled"}},
      {"Set-VMProcessor", {"VM", "Count"}},
      {"Start-VM", {"VM"}},
      // Of PowerShell itself, 3.0 and later.
      {"ConvertFrom-Json", {}},
      {"ConvertTo-Json", {"InputObject", "Compress", "Depth"}},
      {"Copy-Item", {"LiteralPath", "Destination"}},
      {"ForEach-Object", {}},
      {"Get-Command", {"Name"}},
      {"Get-FileHash", {"LiteralPath", "Algorithm"}},
      {"Get-Item", {"LiteralPath"}},
      {"Get-Module", {"ListAvailable", "Name"}},
      {"Import-Module", {"Name"}},
      {"Move-Item", {"LiteralPath", "Destination", "Force"}},
      {"New-Item", {"ItemType", "Force", "Path"}},
      {"New-Object", {}},
      {"Out-String", {}},
      {"Remove-Item", {"LiteralPath", "Force", "Recurse"}},
      {"Select-Object", {"First"}},
      {"Start-Sleep", {"Milliseconds"}},
      {"Test-Path", {"LiteralPath"}},
      {"Where-Object", {}},
  };
  return *kCmdlets;
}

TEST(ScriptsTest, UseCmdletsAndParametersThatThereAre) {
  const std::set<std::string> operators = {"and", "or",   "not",     "eq",      "ne",      "lt",
                                           "gt",  "like", "notlike", "replace", "contains"};
  const std::regex word(R"(\b[A-Z][A-Za-z]+-[A-Z][A-Za-z]+|[\s(]-[A-Za-z]+|[|;{}()])");
  for (const auto& [name, script] : AllScripts()) {
    SCOPED_TRACE(name);
    const std::string text = WholeScript(script);
    std::string cmdlet;
    for (std::sregex_iterator it(text.begin(), text.end(), word), end; it != end; ++it) {
      const std::string found = it->str();
      if (found[0] >= 'A' && found[0] <= 'Z') {
        cmdlet = found;
        EXPECT_EQ(Cmdlets().count(cmdlet), 1U) << cmdlet;
      } else if (found.size() > 2 && found[1] == '-') {
        const std::string parameter = found.substr(2);
        if (operators.count(parameter) > 0) continue;
        const auto known = Cmdlets().find(cmdlet);
        EXPECT_TRUE(known != Cmdlets().end() && known->second.count(parameter) > 0)
            << cmdlet << " -" << parameter;
      }
    }
  }
}

TEST(ScriptsTest, AreBalancedAndFitIntoACommandLine) {
  constexpr size_t kCmdLimit = 8191;
  constexpr size_t kRest = 200;
  for (const auto& [name, script] : AllScripts()) {
    SCOPED_TRACE(name);
    const std::string text = WholeScript(script);
    std::string open;
    bool quoted = false;
    for (const char c : text) {
      EXPECT_TRUE(c >= ' ' && c <= '~');
      if (c == '\'') quoted = !quoted;
      if (quoted) continue;
      if (c == '{' || c == '(') open.push_back(c);
      if (c == '}' || c == ')') {
        ASSERT_FALSE(open.empty());
        EXPECT_EQ(open.back(), c == '}' ? '{' : '(');
        open.pop_back();
      }
    }
    EXPECT_TRUE(open.empty()) << open;
    EXPECT_FALSE(quoted);
    EXPECT_LT(EncodedCommand(text).size() + kRest, kCmdLimit);
    EXPECT_EQ(*DecodeCommand(EncodedCommand(text)), text);
  }
  EXPECT_EQ(EncodedCommand("dir"), "ZABpAHIA") << "as Microsoft's documentation has it";
  EXPECT_FALSE(DecodeCommand("?").ok());
}

TEST(AnswerTest, IsReadFromItsLine) {
  const auto value = ParseAnswer("WARNING: {x}\r\n{\"ok\":true,\"value\":[{\"a\":1}]}\r\n");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ((*value)[0]["a"], 1);
  EXPECT_EQ(ParseAnswer("{\"ok\":true,\"value\":null}")->size(), 0U);
  EXPECT_EQ(ParseAnswer("{\"ok\":true,\"value\":\"x\"}")->size(), 1U);
}

TEST(AnswerTest, ErrorsHaveHypervsWords) {
  const auto missing =
      ParseAnswer("{\"ok\":false,\"error\":\"Nicht da\",\"id\":\"ObjectNotFound,Microsoft\"}");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), "Hyper-V: Nicht da");
  EXPECT_EQ(ParseAnswer("{\"ok\":false}").status().code(), absl::StatusCode::kFailedPrecondition);
  for (const char* const text : {"", "{}", "{\"ok\":1}", "[1]", "{\"ok\":true"}) {
    EXPECT_THAT(ParseAnswer(text).status().message(), HasSubstr("no answer")) << text;
  }
}

TEST(VhdFooterTest, IsAsQemuWritesIt) {
  // Of `qemu-img create -f vpc -o subformat=fixed,force_size=on x 1G`, but for time, creator and
  // id.
  const std::string footer = VhdFooter(uint64_t{1} << 30);
  ASSERT_EQ(footer.size(), 512U);
  EXPECT_THAT(footer, StartsWith("conectix"));
  EXPECT_EQ(absl::BytesToHexString(footer.substr(8, 16)), "0000000200010000ffffffffffffffff");
  EXPECT_EQ(absl::BytesToHexString(footer.substr(40, 24)),
            "00000000400000000000000040000000"
            "0820103f"
            "00000002");
  uint32_t sum = 0;
  for (size_t i = 0; i < footer.size(); ++i) {
    if (i < 64 || i >= 68) sum += static_cast<unsigned char>(footer[i]);
  }
  EXPECT_EQ(absl::BytesToHexString(footer.substr(64, 4)),
            absl::StrCat(absl::Hex(~sum, absl::kZeroPad8)));
}

}  // namespace
}  // namespace machine::driver::hyperv
