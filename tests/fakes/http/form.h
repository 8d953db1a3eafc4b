// Bodies of HTML forms, as OAuth's token endpoints get them.
#ifndef TESTS_FAKES_HTTP_FORM_H_
#define TESTS_FAKES_HTTP_FORM_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::fakes {

/// The fields of a body of type application/x-www-form-urlencoded.
std::map<std::string, std::string> FormFieldsOf(absl::string_view form);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_HTTP_FORM_H_
