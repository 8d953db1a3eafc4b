#include "services/common/http/http_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/http/retry_policy.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;

/// One part of a parsed URL; empty when it is not there.
std::string UrlPart(CURLU* url, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
  });
}

bool IsFieldValue(absl::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return absl::ascii_iscntrl(c) && c != '\t'; });
}

curl_blob BlobOf(absl::string_view text) {
  return {.data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_COPY};
}

bool CarriesContent(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

}  // namespace

absl::Status HttpTransfer::Check() {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError("not a URL that can be asked for");
  }
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  host_ = UrlPart(url.get(), CURLUPART_HOST);
  const std::string port = UrlPart(url.get(), CURLUPART_PORT);
  https_ = scheme == "https";
  label_ = absl::StrCat(request_.method, " ", scheme, "://", host_, port.empty() ? "" : ":", port,
                        UrlPart(url.get(), CURLUPART_PATH));
  if (!https_ && scheme != "http") {
    return absl::InvalidArgumentError(absl::StrCat(label_, ": only http and https are spoken"));
  }
  if (!UrlPart(url.get(), CURLUPART_USER).empty() ||
      !UrlPart(url.get(), CURLUPART_PASSWORD).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(label_, ": a URL must not hold credentials"));
  }
  if (!IsToken(request_.method)) {
    return absl::InvalidArgumentError(absl::StrCat(label_, ": no such method"));
  }
  for (const auto& [name, value] : request_.headers) {
    if (!IsToken(name) || !IsFieldValue(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(label_, ": malformed header field \"", absl::CHexEscape(name), "\""));
    }
  }
  const int bodies = (request_.body.empty() ? 0 : 1) + (request_.body_file.empty() ? 0 : 1) +
                     (request_.body_source ? 1 : 0);
  if (bodies > 1) return absl::InvalidArgumentError(absl::StrCat(label_, ": more than one body"));
  return absl::OkStatus();
}

bool HttpTransfer::MayRepeat() const {
  return (request_.retry_safe || IsIdempotentMethod(request_.method)) && !touched_caller_;
}

absl::StatusOr<CURL*> HttpTransfer::Begin(const HttpClient::Options& options,
                                          absl::Duration timeout) {
  Abandon();
  ++attempts_;
  response_ = HttpResponse();
  header_bytes_ = 0;
  stop_reason_ = absl::OkStatus();
  error_text_[0] = '\0';
  easy_.reset(curl_easy_init());
  if (easy_ == nullptr) return absl::ResourceExhaustedError("no memory for a request");

  // Rounded up, and never the 0 that would mean "for ever".
  timeout_ = std::min(absl::Ceil(timeout, absl::Milliseconds(1)), absl::Hours(24 * 24));
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout_)));
  Set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  Set(CURLOPT_NOSIGNAL, 1L);
  // A name server that does not answer must not hold up the thread when a transfer is dropped.
  Set(CURLOPT_QUICK_EXIT, 1L);
  Set(CURLOPT_ERRORBUFFER, error_text_.data());
  Set(CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(CURLOPT_TCP_KEEPALIVE, 1L);
  Set(CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  SetUrl(options);
  DM_ASSIGN_OR_RETURN(const bool has_content, SetMethodAndBody());
  DM_RETURN_IF_ERROR(SetHeaders(has_content));
  DM_RETURN_IF_ERROR(SetTls());
  return easy_.get();
}

void HttpTransfer::SetUrl(const HttpClient::Options& options) {
  Set(CURLOPT_URL, request_.url.c_str());
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Every coding this libcurl knows; the limit on the body counts what comes out.
  Set(CURLOPT_ACCEPT_ENCODING, "");
  Set(CURLOPT_USERAGENT, options.user_agent.c_str());
  if (!request_.unix_socket_path.empty()) {
    Set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket_path.c_str());
    Set(CURLOPT_PROXY, "");
  } else if (request_.proxy.has_value()) {
    Set(CURLOPT_PROXY, request_.proxy->c_str());
  }
  Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (request_.max_redirects > 0 && (request_.method == "GET" || request_.method == "HEAD")) {
    Set(CURLOPT_FOLLOWLOCATION, 1L);
    Set(CURLOPT_MAXREDIRS, static_cast<long>(request_.max_redirects));
    Set(CURLOPT_REDIR_PROTOCOLS_STR, https_ ? "https" : "http,https");
  }
}

absl::StatusOr<bool> HttpTransfer::SetMethodAndBody() {
  if (request_.body_source || !request_.body_file.empty()) {
    int64_t bytes = request_.body_source_bytes.value_or(-1);
    if (!request_.body_file.empty()) {
      body_fd_.reset(open(request_.body_file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      struct stat info;
      if (!body_fd_.valid() || fstat(body_fd_.get(), &info) != 0) {
        const int error = errno;
        return absl::ErrnoToStatus(error, absl::StrCat("opening ", request_.body_file));
      }
      if (!S_ISREG(info.st_mode)) {
        return absl::InvalidArgumentError(
            absl::StrCat(request_.body_file, " is not a regular file"));
      }
      bytes = info.st_size;
    }
    Set(CURLOPT_UPLOAD, 1L);
    Set(CURLOPT_READFUNCTION, &HttpTransfer::OnRead);
    Set(CURLOPT_READDATA, static_cast<void*>(this));
    Set(CURLOPT_SEEKFUNCTION, &HttpTransfer::OnSeek);
    Set(CURLOPT_SEEKDATA, static_cast<void*>(this));
    Set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes));
    Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    return true;
  }
  if (request_.method == "HEAD") {
    Set(CURLOPT_NOBODY, 1L);
    return false;
  }
  const bool has_content = CarriesContent(request_);
  if (has_content) {
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(CURLOPT_POSTFIELDS, request_.body.c_str());
  }
  if (has_content || request_.method != "GET") {
    Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  return has_content;
}

absl::Status HttpTransfer::SetHeaders(bool has_content) {
  const auto add = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(header_list_.get(), line.c_str());
    if (longer == nullptr) return false;
    static_cast<void>(header_list_.release());  // It is the front of the longer list.
    header_list_.reset(longer);
    return true;
  };
  header_list_.reset();
  // "Name:" without a value is how libcurl is told to leave out a field that it would add.
  bool added = add("Expect:");
  if (has_content && !request_.headers.Has("Content-Type")) added = added && add("Content-Type:");
  for (const auto& [name, value] : request_.headers) {
    added = added && add(value.empty() ? absl::StrCat(name, ";") : absl::StrCat(name, ": ", value));
  }
  if (!added) return absl::ResourceExhaustedError("no memory for a request");
  Set(CURLOPT_HTTPHEADER, header_list_.get());
  return absl::OkStatus();
}

absl::Status HttpTransfer::SetTls() {
  Set(CURLOPT_SSL_VERIFYPEER, request_.tls.verify ? 1L : 0L);
  Set(CURLOPT_SSL_VERIFYHOST, request_.tls.verify ? 2L : 0L);
  Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const HttpTls& tls = request_.tls;
  if (tls.client_cert_pem.empty() != tls.client_key_pem.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(label_, ": a client certificate and its key come together"));
  }
  if (!tls.ca_pem.empty()) {
    // The folder of the system's authorities would otherwise be trusted as well.
    Set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
    Set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    curl_blob ca = BlobOf(tls.ca_pem);
    Set(CURLOPT_CAINFO_BLOB, &ca);
  }
  if (!tls.client_cert_pem.empty()) {
    curl_blob cert = BlobOf(tls.client_cert_pem);
    curl_blob key = BlobOf(tls.client_key_pem.view());
    Set(CURLOPT_SSLCERT_BLOB, &cert);
    Set(CURLOPT_SSLKEY_BLOB, &key);
  }
  return absl::OkStatus();
}

size_t HttpTransfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  const absl::string_view line(data, size * count);
  return static_cast<HttpTransfer*>(self)->AddHeaderLine(line) ? line.size() : 0;
}

bool HttpTransfer::AddHeaderLine(absl::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    stop_reason_ = absl::OutOfRangeError(
        absl::StrCat(label_, ": the answer's header is longer than ", kMaxHeaderBytes, " bytes"));
    return false;
  }
  if (absl::StartsWith(line, "HTTP/")) {
    // A further answer: after 100 Continue, or the target of a redirect.
    response_.headers = HttpHeaders();
    return true;
  }
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos) {
    response_.headers.Add(absl::StripAsciiWhitespace(line.substr(0, colon)),
                          absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return true;
}

size_t HttpTransfer::OnBody(char* data, size_t size, size_t count, void* self) {
  const absl::string_view piece(data, size * count);
  // Anything but the size ends the transfer; for an empty piece that is not 0.
  return static_cast<HttpTransfer*>(self)->AddBody(piece) ? piece.size() : piece.size() + 1;
}

bool HttpTransfer::AddBody(absl::string_view data) {
  long status = 0;  // NOLINT(google-runtime-int): libcurl's type.
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (request_.on_data && status >= 200 && status < 300) {
    touched_caller_ = true;
    stop_reason_ = request_.on_data(data);
    return stop_reason_.ok();
  }
  if (static_cast<int64_t>(response_.body.size() + data.size()) > request_.max_response_bytes) {
    stop_reason_ = absl::OutOfRangeError(absl::StrCat(label_, ": the answer is longer than ",
                                                      request_.max_response_bytes, " bytes"));
    return false;
  }
  response_.body.append(data.data(), data.size());
  return true;
}

size_t HttpTransfer::OnRead(char* buffer, size_t size, size_t count, void* self) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  const absl::StatusOr<size_t> bytes = transfer->ReadBody(absl::MakeSpan(buffer, size * count));
  if (bytes.ok()) return *bytes;
  transfer->stop_reason_ = bytes.status();
  return CURL_READFUNC_ABORT;
}

absl::StatusOr<size_t> HttpTransfer::ReadBody(absl::Span<char> into) {
  if (request_.body_source) {
    touched_caller_ = true;
    return request_.body_source(into);
  }
  while (true) {
    const ssize_t bytes = read(body_fd_.get(), into.data(), into.size());
    if (bytes >= 0) return static_cast<size_t>(bytes);
    const int error = errno;
    if (error != EINTR) {
      return absl::ErrnoToStatus(error, absl::StrCat("reading ", request_.body_file));
    }
  }
}

int HttpTransfer::OnSeek(void* self, curl_off_t offset, int origin) {
  auto* transfer = static_cast<HttpTransfer*>(self);
  if (transfer->request_.body_source) return CURL_SEEKFUNC_CANTSEEK;
  return lseek(transfer->body_fd_.get(), offset, origin) >= 0 ? CURL_SEEKFUNC_OK
                                                              : CURL_SEEKFUNC_FAIL;
}

absl::StatusOr<HttpResponse> HttpTransfer::End(CURLcode code) {
  absl::Status status = code == CURLE_OK ? absl::OkStatus() : ErrorFor(code);
  long http_status = 0;  // NOLINT(google-runtime-int): libcurl's type.
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &http_status);
  Abandon();
  if (!status.ok()) return status;
  response_.status = static_cast<int>(http_status);
  return std::move(response_);
}

void HttpTransfer::Abandon() {
  easy_.reset();
  header_list_.reset();
  body_fd_.reset();
}

absl::Status HttpTransfer::NotTrusted(absl::string_view cause) const {
  return Error(
      absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
      absl::StrCat(label_, ": the certificate of ", host_, " is not trusted (", cause, "): ",
                   request_.tls.ca_pem.empty()
                       ? "if it should be, add the authority that signed it to those of this "
                         "computer (update-ca-certificates)"
                       : "the authority that was given has not signed it for this address"),
      {{"host", host_}, {"cause", std::string(cause)}});
}

absl::Status HttpTransfer::ErrorFor(CURLcode code) {
  if (!stop_reason_.ok()) return stop_reason_;
  std::string text =
      error_text_[0] == '\0' ? curl_easy_strerror(code) : std::string(error_text_.data());
  long os_error = 0;  // NOLINT(google-runtime-int): libcurl's type.
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
  if (code == CURLE_COULDNT_CONNECT && os_error != 0) {
    absl::StrAppend(&text, " (", ErrnoText(static_cast<int>(os_error)), ")");
  }
  const std::string message = absl::StrCat(label_, ": ", text);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return NotTrusted(text);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError(message);
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::FailedPreconditionError(message);
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return absl::InvalidArgumentError(message);
    case CURLE_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(message);
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t elapsed_us = 0;
      curl_easy_getinfo(easy_.get(), CURLINFO_TOTAL_TIME_T, &elapsed_us);
      // A timeout of the connection alone comes earlier, and is worth another attempt.
      if (absl::Microseconds(elapsed_us) >= timeout_ - absl::Milliseconds(1)) {
        return absl::DeadlineExceededError(message);
      }
      break;
    }
    case CURLE_COULDNT_CONNECT:
      if (os_error == EACCES && !request_.unix_socket_path.empty()) {
        return absl::PermissionDeniedError(absl::StrCat(message, ": ", request_.unix_socket_path));
      }
      break;
    default:
      break;
  }
  return Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN, message);
}

}  // namespace machine::common
