#include "queue/bounce.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/check.h"
#include "core/time.h"
#include "core/time_format.h"
#include "queue/dsn_utf8.h"
#include "queue/dsn_words.h"
#include "smtp/address.h"

namespace outbox::queue {
namespace {

// RFC 5322 2.1.1: at most 998 octets a line; what others wrote is cut to less, so that the field's
// name and folding fit.
constexpr size_t kTextOctetsMax = 900;
constexpr std::string_view kCrlf = "\r\n";

// Writes lines with dot-stuffing, so that everything below can think in plain text.
class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}

  // One line, without its CRLF.
  void Line(std::string_view text) {
    if (!text.empty() && text[0] == '.') out_->push_back('.');
    out_->append(text);
    out_->append(kCrlf);
  }
  void Line(std::initializer_list<std::string_view> parts) {
    scratch_.clear();
    for (const std::string_view part : parts) scratch_.append(part);
    Line(scratch_);
  }
  void End() { out_->append(".\r\n"); }

 private:
  std::string* out_;
  std::string scratch_;
};

// What a stranger wrote, on one line of printable ASCII and of bounded length.
std::string Presentable(std::string_view text, size_t octets_max = kTextOctetsMax) {
  std::string clean;
  clean.reserve(std::min(text.size(), octets_max));
  bool space = false;
  for (const char c : text) {
    if (clean.size() >= octets_max) {
      clean += "...";
      break;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      space = !clean.empty();
      continue;
    }
    if (space) clean.push_back(' ');
    space = false;
    clean.push_back(c > 0x20 && c < 0x7f ? c : '?');
  }
  return clean;
}

// Breaks a paragraph into lines of about 72 columns.
void Paragraph(WireWriter* writer, std::string_view text, std::string_view indent = "") {
  constexpr size_t kColumns = 72;
  std::string line(indent);
  size_t start = 0;
  while (start < text.size()) {
    size_t end = text.find(' ', start);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view word = text.substr(start, end - start);
    if (line.size() > indent.size() && line.size() + 1 + word.size() > kColumns) {
      writer->Line(line);
      line = indent;
    }
    if (line.size() > indent.size()) line.push_back(' ');
    line.append(word);
    start = end + 1;
  }
  if (line.size() > indent.size()) writer->Line(line);
}

std::string Status(const DsnFacts& facts, const DsnRecipient& recipient) {
  const char first = facts.action == DsnAction::kFailed ? '5' : '4';
  // RFC 3463 4: 4.4.7 is "delivery time expired", whatever the last reply was.
  if (recipient.expired) return "4.4.7";
  if (recipient.enhanced.size() >= 5 && recipient.enhanced[0] == first) {
    return Presentable(recipient.enhanced, 16);
  }
  if (recipient.code == 0) return std::string(1, first) + ".4.1";  // no answer from host
  return std::string(1, first) + ".0.0";
}

std::string DateOf(int64_t wall_ns) {
  std::array<char, core::kRfc5322DateBytes> buffer;
  return std::string(core::FormatRfc5322Date(wall_ns, buffer));
}

// The same for people: "Sun, 22 Nov 2026 16:43 UTC".
std::string DayAndTime(int64_t wall_ns) {
  std::string text = DateOf(wall_ns);
  text.resize(text.rfind(':'));
  return text + " UTC";
}

// "3 days and 4 hours", two units at most.
std::string Span(int64_t ns) {
  struct Unit {
    int64_t ns;
    const char* name;
  };
  constexpr Unit kUnits[] = {{core::kNsPerDay, "day"},
                             {core::kNsPerHour, "hour"},
                             {core::kNsPerMinute, "minute"},
                             {core::kNsPerSecond, "second"}};
  std::string text;
  int units = 0;
  for (const Unit& unit : kUnits) {
    const int64_t count = ns / unit.ns;
    if (count <= 0) {
      if (units > 0) break;
      continue;
    }
    ns -= count * unit.ns;
    if (units > 0) text += " and ";
    text += std::to_string(count) + " " + unit.name + (count == 1 ? "" : "s");
    if (++units == 2) break;
  }
  return units == 0 ? "less than a second" : text;
}

// The header section of the original: prefix and the lines of the body up to the first empty one,
// dots un-stuffed.
std::vector<std::string_view> HeaderLines(const DsnFacts& facts, bool* cut) {
  std::vector<std::string_view> lines;
  size_t octets = 0;
  *cut = false;
  for (std::string_view rest : {facts.original_prefix, facts.original_body}) {
    while (!rest.empty()) {
      const size_t end = rest.find(kCrlf);
      std::string_view line = rest.substr(0, end);
      rest = end == std::string_view::npos ? "" : rest.substr(end + 2);
      if (line.empty() || line == ".") return lines;  // RFC 5322 2.1; "." ends a body of headers
      if (line[0] == '.') line.remove_prefix(1);
      octets += line.size() + 2;
      if (octets > kDsnHeaderBytesMax) {
        *cut = true;
        return lines;
      }
      lines.push_back(line);
    }
  }
  return lines;
}

// The value of the first field with this name (lower case), unfolded; empty if there is none.
std::string HeaderField(const DsnFacts& facts, std::string_view name) {
  bool cut = false;
  std::string value;
  bool in_field = false;
  for (const std::string_view line : HeaderLines(facts, &cut)) {
    if (line.starts_with(' ') || line.starts_with('\t')) {
      if (in_field) value.append(line);
      continue;
    }
    if (in_field) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !smtp::EqualsIgnoringCase(line.substr(0, colon), name))
      continue;
    in_field = true;
    value = line.substr(colon + 1);
  }
  return value;
}

void Explain(WireWriter* writer, const DsnFacts& facts, const DsnRecipient& recipient) {
  constexpr std::string_view kIndent = "      ";
  constexpr std::string_view kQuoteIndent = "          ";
  writer->Line({"    ", PresentableUtf8(recipient.address, kTextOctetsMax)});
  writer->Line("");
  const PlainWords words = ExplainStatus(recipient.enhanced, recipient.code);
  std::string what;
  if (recipient.expired) {
    what = "We have tried for " + Span(facts.now_wall_ns - facts.arrival_wall_ns) +
           ". The last problem was this: ";
  }
  what += words.what;
  if (facts.action == DsnAction::kFailed && !words.advice.empty()) {
    what.append(" ").append(words.advice);
  }
  Paragraph(writer, what, kIndent);
  const std::string text = PresentableUtf8(recipient.text, kTextOctetsMax);
  if (recipient.code > 0) {
    writer->Line("");
    Paragraph(writer, "The answer of " + Presentable(recipient.mailhost, 256) + " was:", kIndent);
    Paragraph(writer,
              std::to_string(recipient.code) + " " +
                  (recipient.enhanced.empty() ? "" : Presentable(recipient.enhanced, 16) + " ") +
                  text,
              kQuoteIndent);
  } else if (!text.empty()) {
    writer->Line("");
    Paragraph(writer, "In detail: " + text, kIndent);
  }
  writer->Line("");
}

// "our message "hello" of Sun, 1 Mar ...", behind a Y or y: what its sender knows it by.
std::string TheirMessage(const DsnFacts& facts) {
  constexpr size_t kSubjectOctets = 120;
  const std::string subject = HeaderField(facts, "subject");
  std::string text = "our message ";
  // An encoded word (RFC 2047), or octets that we cannot show, would be no help to anybody.
  const bool readable = subject.find("=?") == std::string::npos &&
                        std::all_of(subject.begin(), subject.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x7f; });
  if (readable && subject.find_first_not_of(" \t") != std::string::npos) {
    text += "\"" + Presentable(subject, kSubjectOctets) + "\" ";
  }
  return text + "of " + DayAndTime(facts.arrival_wall_ns);
}

void HumanPart(WireWriter* writer, const DsnFacts& facts) {
  const bool failed = facts.action == DsnAction::kFailed;
  const bool one = facts.recipients.size() == 1;
  const std::string whom = one ? "this recipient:" : "these recipients:";
  if (failed) {
    Paragraph(writer, "Y" + TheirMessage(facts) + " could not be delivered to " + whom);
  } else {
    Paragraph(writer, "This is only a delay: y" + TheirMessage(facts) +
                          " has not been delivered yet to " + whom);
  }
  writer->Line("");
  for (const DsnRecipient& recipient : facts.recipients) Explain(writer, facts, recipient);
  if (failed) {
    Paragraph(writer, std::string("We have stopped trying") + (one ? "" : " for them") +
                          ": if the message is to arrive after all, it must be sent again. This "
                          "does not concern anybody else to whom you have sent it.");
    writer->Line("");
    Paragraph(writer,
              "If you do not know what to do, please show this notice, with the technical "
              "details below, to those who look after your mail.");
  } else {
    Paragraph(writer, "You need not do anything, and need not send it again: we keep trying" +
                          (facts.retry_until_wall_ns > 0
                               ? " until " + DayAndTime(facts.retry_until_wall_ns) +
                                     ", and tell you if we have to give up then."
                               : std::string(".")));
  }
  writer->Line("");
  Paragraph(writer, "This is the mail system at " + Presentable(facts.reporting_mta, 255) +
                        ". Its reference for your message is " + Presentable(facts.message_id, 64) +
                        ".");
  writer->Line("");
}

void MachinePart(WireWriter* writer, const DsnFacts& facts) {
  writer->Line({"Reporting-MTA: dns; ", Presentable(facts.reporting_mta, 255)});
  writer->Line({"Arrival-Date: ", DateOf(facts.arrival_wall_ns)});
  writer->Line({"X-Outbox-Id: ", Presentable(facts.message_id, 64)});
  const bool failed = facts.action == DsnAction::kFailed;
  for (const DsnRecipient& recipient : facts.recipients) {
    writer->Line("");
    writer->Line({"Final-Recipient: ", TypedAddress(recipient.address)});
    writer->Line({"Action: ", failed ? "failed" : "delayed"});
    writer->Line({"Status: ", Status(facts, recipient)});
    if (recipient.code > 0) {
      std::string host = Presentable(recipient.mailhost, 256);
      if (const size_t colon = host.rfind(':'); colon != std::string::npos) host.resize(colon);
      if (!host.empty() && host.front() != '[') host = "[" + host + "]";
      writer->Line({"Remote-MTA: dns; ", host});
      writer->Line({"Diagnostic-Code: smtp; ", std::to_string(recipient.code), " ",
                    recipient.enhanced.empty() ? "" : Presentable(recipient.enhanced, 16) + " ",
                    Presentable(recipient.text)});
    } else if (!recipient.text.empty()) {
      writer->Line({"Diagnostic-Code: X-Outbox; ", Presentable(recipient.text)});
    }
    // A notice that a period has passed comes some time after the last attempt.
    if (failed && !recipient.expired) {
      writer->Line({"Last-Attempt-Date: ", DateOf(facts.now_wall_ns)});
    }
    if (!failed && facts.retry_until_wall_ns > 0) {
      writer->Line({"Will-Retry-Until: ", DateOf(facts.retry_until_wall_ns)});
    }
  }
  writer->Line("");
}

// RFC 2045 6.7. `line` is one line without CRLF.
void QuotedPrintable(WireWriter* writer, std::string_view line) {
  constexpr size_t kColumns = 75;  // plus the soft break's "="
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    const auto octet = static_cast<unsigned char>(line[i]);
    const bool last = i + 1 == line.size();
    std::string piece;
    if ((octet > 0x20 && octet < 0x7f && octet != '=') ||
        ((octet == ' ' || octet == '\t') && !last)) {
      piece = line[i];
    } else {
      piece = {'=', kHex[octet >> 4], kHex[octet & 15]};
    }
    if (out.size() + piece.size() > kColumns) {
      writer->Line({out, "="});
      out.clear();
    }
    out += piece;
  }
  writer->Line(out);
}

void OriginalHeaders(WireWriter* writer, const DsnFacts& facts) {
  bool cut = false;
  const std::vector<std::string_view> lines = HeaderLines(facts, &cut);
  // RFC 6522 4: broken or extended headers may be encoded to be legal 7-bit content.
  const bool encode = std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
    return line.size() > 998 || std::any_of(line.begin(), line.end(), [](char c) {
             return static_cast<unsigned char>(c) > 0x7e ||
                    (static_cast<unsigned char>(c) < 0x20 && c != '\t');
           });
  });
  writer->Line("Content-Type: text/rfc822-headers");
  writer->Line("Content-Description: Headers of your message");
  if (encode) writer->Line("Content-Transfer-Encoding: quoted-printable");
  writer->Line("");
  for (const std::string_view line : lines) {
    if (encode) {
      QuotedPrintable(writer, line);
    } else {
      writer->Line(line);
    }
  }
  if (cut) writer->Line("X-Outbox-Note: more headers followed and are left out here");
  writer->Line("");
}

}  // namespace

void ComposeDsn(const DsnFacts& facts, std::string* out) {
  CHECK(!facts.return_path.empty());
  CHECK(!facts.recipients.empty());
  WireWriter writer(out);
  const bool failed = facts.action == DsnAction::kFailed;
  const std::string mta = Presentable(facts.reporting_mta, 255);
  const std::string dsn_id = Presentable(facts.dsn_id, 64);
  // The boundary must not occur in what we quote: the id is ours and new.
  const std::string boundary = "=_outbox_" + dsn_id;
  writer.Line({"From: Mail Delivery System <MAILER-DAEMON@", mta, ">"});
  writer.Line({"To: ", ToField(facts.return_path)});
  writer.Line({"Subject: ", failed ? "Your message could not be delivered"
                                   : "Your message is delayed, we keep trying"});
  writer.Line({"Date: ", DateOf(facts.now_wall_ns)});
  writer.Line({"Message-ID: <", dsn_id, ".dsn@", mta, ">"});
  // Mail readers show it with the message that it is about.
  const std::string about = Presentable(HeaderField(facts, "message-id"), 256);
  if (about.starts_with('<') && about.ends_with('>') && about.find(' ') == std::string::npos) {
    writer.Line({"In-Reply-To: ", about});
    writer.Line({"References: ", about});
  }
  writer.Line("MIME-Version: 1.0");
  writer.Line("Auto-Submitted: auto-replied");
  writer.Line("Content-Type: multipart/report; report-type=delivery-status;");
  writer.Line({"\tboundary=\"", boundary, "\""});
  writer.Line("");
  writer.Line("This is a delivery status notification in MIME format.");
  writer.Line("");
  writer.Line({"--", boundary});
  std::string human;
  WireWriter human_writer(&human);
  HumanPart(&human_writer, facts);
  out->append(TextPart("What happened", human));
  writer.Line({"--", boundary});
  writer.Line("Content-Type: message/delivery-status");
  writer.Line("Content-Description: Delivery report");
  writer.Line("");
  MachinePart(&writer, facts);
  writer.Line({"--", boundary});
  OriginalHeaders(&writer, facts);
  writer.Line({"--", boundary, "--"});
  writer.End();
}

}  // namespace outbox::queue
