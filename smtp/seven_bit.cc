#include "smtp/seven_bit.h"

#include <algorithm>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::smtp {
namespace {

bool Encoded(const std::string& encoding) {
  return encoding == "base64" || encoding == "quoted-printable";
}

bool MustBeEncoded(const std::string& encoding) {
  return encoding == "8bit" || encoding == "binary";
}

}  // namespace

bool SevenBit::Fail(const char* why) {
  why_ = why;
  return false;
}

bool SevenBit::Convert(std::string_view wire, std::string* out) {
  while (!complete_ && !wire.empty()) {
    // A line end may have been cut in two.
    size_t end = std::string_view::npos;
    if (!line_.empty() && line_.back() == '\r' && wire[0] == '\n') {
      end = 0;
    } else if (const size_t found = wire.find("\r\n"); found != std::string_view::npos) {
      end = found + 1;
    }
    if (end == std::string_view::npos) {
      if (line_.size() + wire.size() > core::kSmtpTextLineOctetsMax + 3) {
        return Fail("a line is too long");
      }
      line_.append(wire);
      return true;
    }
    bool done = false;
    if (line_.empty()) {
      done = Line(wire.substr(0, end - 1), out);
    } else {
      line_.append(wire.substr(0, end + 1));
      line_.resize(line_.size() - 2);
      done = Line(line_, out);
      line_.clear();
    }
    if (!done) return false;
    wire.remove_prefix(end + 1);
  }
  return true;
}

// Without CRLF, in wire form.
bool SevenBit::Line(std::string_view line, std::string* out) {
  if (line == ".") {
    if (content_ == Content::kHeader && !header_.empty() && !EndHeader(out)) return false;
    EndPart(/*at_end=*/true, out);
    *out += ".\r\n";
    complete_ = true;
    return true;
  }
  if (line.starts_with('.')) line.remove_prefix(1);
  bool boundary = false;
  if (!AtBoundary(line, out, &boundary)) return false;
  if (boundary) return true;
  if (content_ != Content::kHeader) return BodyLine(line, out);
  if (line.empty()) {
    if (!EndHeader(out)) return false;
    Emit("\r\n", out);
    return true;
  }
  if (header_.size() + line.size() > core::kRouteHeaderBytes) {
    return Fail("a header section is too long");
  }
  header_.append(line).append("\r\n");
  return true;
}

bool SevenBit::AtBoundary(std::string_view line, std::string* out, bool* is_one) {
  if (!line.starts_with("--")) return true;
  for (size_t i = boundaries_.size(); i-- > 0;) {
    const std::string& boundary = boundaries_[i];
    if (!line.starts_with(boundary)) continue;
    std::string_view rest = line.substr(boundary.size());
    const bool last = rest.starts_with("--");
    if (last) rest.remove_prefix(2);
    if (rest.find_first_not_of(" \t") != std::string_view::npos) continue;
    *is_one = true;
    // A part may end within its header section.
    if (content_ == Content::kHeader && !header_.empty() && !EndHeader(out)) return false;
    EndPart(/*at_end=*/false, out);
    boundaries_.resize(last ? i : i + 1);
    digests_.resize(boundaries_.size());
    written_.clear();
    AppendAscii(line, &written_);
    Emit(written_ + "\r\n", out);
    content_ = last ? Content::kAsItIs : Content::kHeader;
    own_ = false;
    return true;
  }
  return true;
}

bool SevenBit::BodyLine(std::string_view line, std::string* out) {
  written_.clear();
  switch (content_) {
    case Content::kHeader:
      CHECK(false);
    case Content::kAsItIs:
      AppendAscii(line, &written_);
      written_ += "\r\n";
      break;
    case Content::kSigned:
      if (HasEightBit(line)) return Fail("a signed part of it has such octets");
      written_.append(line).append("\r\n");
      break;
    case Content::kQuoted:
      AppendQuotedLine(line, &written_);
      break;
    case Content::kBase64:
      if (!first_line_) base64_.Append("\r\n", &written_);
      base64_.Append(line, &written_);
      break;
  }
  first_line_ = false;
  Emit(written_, out);
  return true;
}

void SevenBit::EndPart(bool at_end, std::string* out) {
  if (content_ != Content::kBase64) return;
  written_.clear();
  // Before a boundary the last line end is the boundary's.
  if (at_end && !first_line_) base64_.Append("\r\n", &written_);
  base64_.Finish(&written_);
  Emit(written_, out);
}

// What the section says decides how the content behind it is written.
bool SevenBit::EndHeader(std::string* out) {
  const MimeHeader header = MimeHeader::Read(header_);
  std::string type = header.type;
  if (!header.has_type && !own_ && !digests_.empty() && digests_.back()) type = "message/rfc822";
  const bool as_it_is = Encoded(header.encoding);
  const bool nested = !as_it_is && type == "message/rfc822";
  const char* encoding = MustBeEncoded(header.encoding) ? "7bit" : nullptr;  // null: as it was
  first_line_ = true;
  if (as_it_is) {
    content_ = Content::kAsItIs;
  } else if (type == "multipart/signed") {
    content_ = Content::kSigned;
  } else if (header.multipart()) {
    if (header.boundary.empty() || HasEightBit(header.boundary)) {
      return Fail("a multipart says no boundary");
    }
    if (boundaries_.size() >= core::kMimeDepthMax) return Fail("its parts are nested too deeply");
    boundaries_.push_back("--" + header.boundary);
    digests_.push_back(type == "multipart/digest");
    content_ = Content::kAsItIs;  // what stands before the first part
  } else if (nested) {
    content_ = Content::kHeader;
  } else if (type.starts_with("message/")) {
    content_ = Content::kAsItIs;  // RFC 2046 5.2: 7 bits, and no encoding
  } else if (encoding != nullptr && !type.empty() && !type.starts_with("text/")) {
    encoding = "base64";
    content_ = Content::kBase64;
  } else {
    encoding = "quoted-printable";
    content_ = Content::kQuoted;
  }
  WriteHeader(header, encoding, out);
  header_.clear();
  own_ = nested;
  return true;
}

void SevenBit::WriteHeader(const MimeHeader& header, const char* encoding, std::string* out) {
  written_.clear();
  for (const MimeHeader::Field& field : header.fields) {
    if (encoding != nullptr && field.IsNamed("content-transfer-encoding")) continue;
    if (HasEightBit(field.whole)) {
      AppendEncodedField(field.whole, &written_);
    } else {
      written_.append(field.whole);
    }
  }
  if (encoding != nullptr) {
    if (own_ && !header.has_version) written_ += "MIME-Version: 1.0\r\n";
    if (own_ && !header.has_type) {
      written_ += "Content-Type: text/plain; charset=unknown-8bit\r\n";
    }
    written_.append("Content-Transfer-Encoding: ").append(encoding).append("\r\n");
  }
  Emit(written_, out);
}

// Whole lines, whose dots are stuffed. Base64 comes in pieces, but has no dots.
void SevenBit::Emit(std::string_view lines, std::string* out) {
  while (!lines.empty()) {
    if (lines[0] == '.') *out += '.';
    const size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
    out->append(lines.substr(0, end));
    lines.remove_prefix(end);
  }
}

}  // namespace outbox::smtp
