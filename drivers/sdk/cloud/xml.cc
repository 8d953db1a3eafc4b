#include "drivers/sdk/cloud/xml.h"

#include <pugixml.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::driver {
namespace {

// Without the prefix of its namespace.
std::string LocalName(absl::string_view name) {
  return std::string(
      name.substr(name.find(':') == absl::string_view::npos ? 0 : name.find(':') + 1));
}

}  // namespace

constexpr int kMaxDepth = 32;

struct XmlReader {
  static XmlElement Read(const pugi::xml_node& node, int depth) {
    XmlElement element;
    element.name_ = LocalName(node.name());
    element.text_ = node.text().get();
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      element.attributes_.emplace_back(attribute.name(), attribute.value());
    }
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

std::vector<const XmlElement*> XmlElement::Children(absl::string_view name) const {
  std::vector<const XmlElement*> found;
  for (const XmlElement& child : children_) {
    if (child.name_ == name) found.push_back(&child);
  }
  return found;
}

const std::string& XmlElement::Attribute(absl::string_view name) const {
  for (const auto& [key, value] : attributes_) {
    if (key == name) return value;
  }
  for (const auto& [key, value] : attributes_) {
    if (LocalName(key) == name) return value;
  }
  return Empty().text_;
}

std::string XmlElement::XsiType() const {
  for (const auto& [key, value] : attributes_) {
    if (absl::EndsWith(key, ":type")) return LocalName(value);
  }
  return "";
}

std::optional<XmlElement> ParseXml(absl::string_view text) {
  pugi::xml_document document;
  if (!document.load_buffer(text.data(), text.size())) return std::nullopt;
  const pugi::xml_node root = document.document_element();
  if (!root) return std::nullopt;
  return XmlReader::Read(root, 0);
}

std::string XmlEscape(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\r':
        escaped += "&#13;";
        break;
      case '\n':
        escaped += "&#10;";
        break;
      case '\t':
        escaped += "&#9;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) escaped += c;
    }
  }
  return escaped;
}

std::string XmlNode(absl::string_view name, absl::string_view inner,
                    const XmlAttributes& attributes) {
  std::string node = absl::StrCat("<", name);
  for (const auto& [key, value] : attributes) {
    absl::StrAppend(&node, " ", key, "=\"", XmlEscape(value), "\"");
  }
  return inner.empty() ? absl::StrCat(node, "/>") : absl::StrCat(node, ">", inner, "</", name, ">");
}

std::string XmlLeaf(absl::string_view name, absl::string_view text,
                    const XmlAttributes& attributes) {
  return XmlNode(name, XmlEscape(text), attributes);
}

}  // namespace machine::driver
