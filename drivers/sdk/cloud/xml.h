// Reading XML that somebody else wrote, where what is missing reads as empty, and writing XML.
#ifndef DRIVERS_SDK_CLOUD_XML_H_
#define DRIVERS_SDK_CLOUD_XML_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::driver {

/// An element: its text, its attributes and the elements in it. Names are without prefixes of
/// namespaces. Immutable once parsed.
class XmlElement {
 public:
  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  const std::vector<XmlElement>& children() const { return children_; }

  /// The first child of that name; an empty element where there is none.
  const XmlElement& Child(absl::string_view name) const;
  /// The text of the first child of that name.
  const std::string& Text(absl::string_view name) const { return Child(name).text(); }
  /// The children of that name.
  std::vector<const XmlElement*> Children(absl::string_view name) const;
  /// The children of the first child of that name, as EC2 writes lists.
  const std::vector<XmlElement>& Items(absl::string_view name) const {
    return Child(name).children();
  }
  bool Has(absl::string_view name) const { return &Child(name) != &Empty(); }
  /// The value of an attribute; without one of just that name, of one that has it after a prefix;
  /// empty where there is none.
  const std::string& Attribute(absl::string_view name) const;
  /// The type that xsi:type names, under whatever prefix; empty where there is none.
  std::string XsiType() const;

 private:
  friend std::optional<XmlElement> ParseXml(absl::string_view text);
  friend struct XmlReader;

  static const XmlElement& Empty();

  std::string name_;
  std::string text_;
  std::vector<std::pair<std::string, std::string>> attributes_;
  std::vector<XmlElement> children_;
};

/// The root element; no value where `text` is no XML. Entities of the document are not expanded,
/// and elements deeper than 32 are left out.
std::optional<XmlElement> ParseXml(absl::string_view text);

/// `text` as the content of an element or attribute; what XML cannot hold is left out.
std::string XmlEscape(absl::string_view text);

/// Attributes of an element that is written: names and values as they are.
using XmlAttributes = std::vector<std::pair<std::string, std::string>>;

/// An element with `inner`, XML already, in it.
std::string XmlNode(absl::string_view name, absl::string_view inner,
                    const XmlAttributes& attributes = {});
/// An element with a text in it.
std::string XmlLeaf(absl::string_view name, absl::string_view text,
                    const XmlAttributes& attributes = {});

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_XML_H_
