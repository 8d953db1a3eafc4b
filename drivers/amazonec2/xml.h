// Reading XML that somebody else wrote: what is missing reads as empty.
#ifndef DRIVERS_AMAZONEC2_XML_H_
#define DRIVERS_AMAZONEC2_XML_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::driver::amazonec2 {

/// An element: its text and the elements in it. Immutable once parsed.
class XmlElement {
 public:
  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  const std::vector<XmlElement>& children() const { return children_; }

  /// The first child of that name; an empty element where there is none.
  const XmlElement& Child(absl::string_view name) const;
  /// The text of the first child of that name.
  const std::string& Text(absl::string_view name) const { return Child(name).text(); }
  /// The children named "item" of the first child of that name, as EC2 writes lists.
  const std::vector<XmlElement>& Items(absl::string_view name) const {
    return Child(name).children();
  }
  bool Has(absl::string_view name) const { return &Child(name) != &Empty(); }

 private:
  friend std::optional<XmlElement> ParseXml(absl::string_view text);
  friend struct XmlReader;

  static const XmlElement& Empty();

  std::string name_;
  std::string text_;
  std::vector<XmlElement> children_;
};

/// The root element; no value where `text` is no XML. Entities of the document are not expanded,
/// and elements deeper than 32 are left out.
std::optional<XmlElement> ParseXml(absl::string_view text);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_XML_H_
