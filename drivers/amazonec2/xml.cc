#include "drivers/amazonec2/xml.h"

#include <pugixml.hpp>

namespace machine::driver::amazonec2 {

constexpr int kMaxDepth = 32;

struct XmlReader {
  static XmlElement Read(const pugi::xml_node& node, int depth) {
    XmlElement element;
    element.name_ = node.name();
    element.text_ = node.text().get();
    if (depth >= kMaxDepth) return element;
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() == pugi::node_element) element.children_.push_back(Read(child, depth + 1));
    }
    return element;
  }
};

const XmlElement& XmlElement::Empty() {
  static const XmlElement& empty = *new XmlElement;
  return empty;
}

const XmlElement& XmlElement::Child(absl::string_view name) const {
  for (const XmlElement& child : children_) {
    if (child.name_ == name) return child;
  }
  return Empty();
}

std::optional<XmlElement> ParseXml(absl::string_view text) {
  pugi::xml_document document;
  if (!document.load_buffer(text.data(), text.size())) return std::nullopt;
  const pugi::xml_node root = document.document_element();
  if (!root) return std::nullopt;
  return XmlReader::Read(root, 0);
}

}  // namespace machine::driver::amazonec2
