// Guards the wire: the protos are compared with a committed list of everything they declare, and
// checked for the style that proto/README.md describes.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "machine/options/v1/options.pb.h"

namespace machine {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::MethodDescriptor;
using ::google::protobuf::ServiceDescriptor;
using ::google::protobuf::SourceLocation;
using ::testing::IsEmpty;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Every declaration as a line of its own, and every breach of the style as a complaint.
class Walk {
 public:
  explicit Walk(const DescriptorPool& pool) : pool_(pool) {}

  void File(const FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) Message(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) Enum(*file.enum_type(i));
    for (int i = 0; i < file.service_count(); ++i) Service(*file.service(i));
    for (int i = 0; i < file.extension_count(); ++i) Field(*file.extension(i));
  }

  const std::set<std::string>& lines() const { return lines_; }
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  template <typename Element>
  void NeedComment(const Element& element, const std::string& name) {
    SourceLocation location;
    if (!element.GetSourceLocation(&location) || location.leading_comments.empty()) {
      complaints_.push_back(absl::StrCat(name, " has no comment"));
    }
  }

  void Message(const Descriptor& message) {
    if (message.options().map_entry()) return;
    NeedComment(message, message.full_name());
    lines_.insert(absl::StrCat("message ", message.full_name()));
    for (int i = 0; i < message.field_count(); ++i) Field(*message.field(i));
    for (int i = 0; i < message.nested_type_count(); ++i) Message(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) Enum(*message.enum_type(i));
  }

  void Field(const FieldDescriptor& field) {
    const std::string name = field.full_name();
    NeedComment(field, name);
    std::string type = field.type_name();
    if (field.message_type() != nullptr) type = field.message_type()->full_name();
    if (field.enum_type() != nullptr) type = field.enum_type()->full_name();
    const bool secret = Rules(field).secret();
    lines_.insert(absl::StrCat("field ", name, " = ", field.number(), " ",
                               field.is_map()        ? "map "
                               : field.is_repeated() ? "repeated "
                                                     : "",
                               type, secret ? " secret" : ""));
    const bool sounds_secret =
        absl::StrContains(field.name(), "private_key") || absl::EndsWith(field.name(), "key_pem") ||
        absl::EndsWith(field.name(), "cookie") || absl::StrContains(field.name(), "password");
    const bool is_text =
        field.type() == FieldDescriptor::TYPE_BYTES || field.type() == FieldDescriptor::TYPE_STRING;
    if (sounds_secret && is_text && !secret) complaints_.push_back(name + " is not marked secret");
  }

  // The options were parsed without their extensions: ours are read again from the bytes.
  static machine::options::v1::FieldRules Rules(const FieldDescriptor& field) {
    google::protobuf::FieldOptions options;
    options.ParseFromString(field.options().SerializeAsString());
    return options.GetExtension(machine::options::v1::field);
  }

  void Enum(const EnumDescriptor& type) {
    NeedComment(type, type.full_name());
    lines_.insert(absl::StrCat("enum ", type.full_name()));
    if (!absl::EndsWith(type.value(0)->name(), "UNSPECIFIED") || type.value(0)->number() != 0) {
      complaints_.push_back(type.full_name() + " does not begin with …_UNSPECIFIED = 0");
    }
    for (int i = 0; i < type.value_count(); ++i) {
      NeedComment(*type.value(i), type.value(i)->full_name());
      lines_.insert(absl::StrCat("value ", type.full_name(), ".", type.value(i)->name(), " = ",
                                 type.value(i)->number()));
    }
  }

  void Service(const ServiceDescriptor& service) {
    NeedComment(service, service.full_name());
    for (int i = 0; i < service.method_count(); ++i) {
      const MethodDescriptor& method = *service.method(i);
      NeedComment(method, method.full_name());
      lines_.insert(absl::StrCat(
          "rpc ", method.full_name(), "(", method.client_streaming() ? "stream " : "",
          method.input_type()->full_name(), ") returns (",
          method.server_streaming() ? "stream " : "", method.output_type()->full_name(), ")"));
    }
  }

  const DescriptorPool& pool_;
  std::set<std::string> lines_;
  std::vector<std::string> complaints_;
};

class DescriptorTest : public testing::Test {
 protected:
  DescriptorTest() {
    google::protobuf::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromString(ReadWhole("proto/descriptor_set.pb")));
    for (const auto& file : set.file()) EXPECT_NE(pool_.BuildFile(file), nullptr) << file.name();
    for (const auto& file : set.file()) {
      if (!absl::StartsWith(file.name(), "google/protobuf/")) {
        walk_.File(*pool_.FindFileByName(file.name()));
      }
    }
  }

  DescriptorPool pool_;
  Walk walk_{pool_};
};

TEST_F(DescriptorTest, EveryDeclarationIsCommentedAndInStyle) {
  EXPECT_THAT(walk_.complaints(), IsEmpty());
}

TEST_F(DescriptorTest, NothingOnTheWireWasRemovedRenumberedOrRetyped) {
  const std::vector<std::string> golden_lines =
      absl::StrSplit(ReadWhole("proto/golden.txt"), '\n', absl::SkipEmpty());
  const std::set<std::string> golden(golden_lines.begin(), golden_lines.end());
  std::vector<std::string> gone;
  std::vector<std::string> added;
  std::set_difference(golden.begin(), golden.end(), walk_.lines().begin(), walk_.lines().end(),
                      std::back_inserter(gone));
  std::set_difference(walk_.lines().begin(), walk_.lines().end(), golden.begin(), golden.end(),
                      std::back_inserter(added));
  EXPECT_THAT(gone, IsEmpty()) << "the wire must stay compatible; see proto/README.md";
  EXPECT_THAT(added, IsEmpty()) << "add these lines to proto/golden.txt";
  if (const char* const out = std::getenv("MACHINE_UPDATE_GOLDEN"); out != nullptr) {
    std::ofstream(out) << absl::StrJoin(walk_.lines(), "\n") << "\n";
  }
}

TEST_F(DescriptorTest, TheKnownSecretsAreMarked) {
  for (const char* name :
       {"machine.v1.OptionValue.secret_value", "machine.v1.AccessBundle.client_key_pem",
        "machine.v1.AccessBundle.ssh_private_key", "driver.v1.MachineRef.ssh_private_key",
        "driver.v1.DriverState.data", "provisioner.v1.TlsMaterial.server_key_pem",
        "driver.v1.BootstrapParams.cookie"}) {
    bool found = false;
    for (const std::string& line : walk_.lines()) {
      found = found || (absl::StartsWith(line, absl::StrCat("field ", name, " ")) &&
                        absl::EndsWith(line, " secret"));
    }
    EXPECT_TRUE(found) << name;
  }
}

}  // namespace
}  // namespace machine
