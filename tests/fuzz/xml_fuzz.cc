// XML of providers: EC2, vSphere, vCloud.
#include "drivers/sdk/cloud/xml.h"
#include "tests/fuzz/expect.h"

namespace {

using machine::driver::XmlElement;

// Elements below `element`, and how deep they go.
size_t Visit(const XmlElement& element, int depth) {
  machine::fuzz::Expect(depth <= 33, "deeper than it says");
  size_t count = 1;
  for (const XmlElement& child : element.children()) {
    machine::fuzz::Expect(element.Has(child.name()), "a child that is not found");
    machine::fuzz::Expect(!element.Children(child.name()).empty(), "children that are not found");
    count += Visit(child, depth + 1);
  }
  element.Items("item");
  element.Attribute("href");
  element.XsiType();
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  if (const auto root = machine::driver::ParseXml(text); root.has_value()) {
    machine::fuzz::Expect(Visit(*root, 1) <= size, "it made up elements");
  }
  // What is written is read as it was, but for what XML cannot hold and blanks at the ends.
  const std::string leaf = machine::driver::XmlLeaf("a", text, {{"b", std::string(text)}});
  const auto again = machine::driver::ParseXml(leaf);
  machine::fuzz::Expect(again.has_value() && again->name() == "a" && again->children().empty(),
                        "it does not read its own text");
  return 0;
}
