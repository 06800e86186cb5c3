#include "queue/bounce.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/check.h"
#include "core/time.h"
#include "core/time_format.h"
#include "core/utf8.h"
#include "queue/dsn_original.h"
#include "queue/dsn_text.h"
#include "queue/dsn_utf8.h"
#include "queue/dsn_words.h"
#include "smtp/dsn_parameters.h"

namespace outbox::queue {
namespace {

std::string Status(const DsnFacts& facts, const DsnRecipient& recipient) {
  const char first = facts.action == DsnAction::kFailed      ? '5'
                     : facts.action == DsnAction::kSucceeded ? '2'
                                                             : '4';
  // RFC 3463 4: 4.4.7 is "delivery time expired", whatever the last reply was.
  if (recipient.expired) return "4.4.7";
  if (recipient.enhanced.size() >= 5 && recipient.enhanced[0] == first) {
    return Presentable(recipient.enhanced, 16);
  }
  // No answer from a host, unless a mailbox of ours has it.
  if (recipient.code == 0 && first != '2') return std::string(1, first) + ".4.1";
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

void Confirm(WireWriter* writer, const DsnRecipient& recipient) {
  constexpr std::string_view kIndent = "      ";
  if (recipient.relayed) {
    Paragraph(writer,
              "The mail system there, " + Presentable(recipient.mailhost, 256) +
                  ", has taken it. It does not tell when the message has reached the mailbox: you "
                  "will hear no more of it, unless something goes wrong.",
              kIndent);
  } else {
    Paragraph(writer, "It is in the mailbox.", kIndent);
  }
  writer->Line("");
}

void Explain(WireWriter* writer, const DsnFacts& facts, const DsnRecipient& recipient) {
  constexpr std::string_view kIndent = "      ";
  constexpr std::string_view kQuoteIndent = "          ";
  writer->Line({"    ", PresentableUtf8(recipient.address, kDsnTextOctetsMax)});
  writer->Line("");
  if (facts.action == DsnAction::kSucceeded) return Confirm(writer, recipient);
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
  const std::string text = PresentableUtf8(recipient.text, kDsnTextOctetsMax);
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

// What has been done with the message, for all recipients alike.
const char* SuccessWord(const DsnFacts& facts) {
  const bool relayed = std::any_of(facts.recipients.begin(), facts.recipients.end(),
                                   [](const DsnRecipient& one) { return one.relayed; });
  return relayed ? "passed on" : "delivered";
}

const char* ActionWord(const DsnFacts& facts, const DsnRecipient& recipient) {
  switch (facts.action) {
    case DsnAction::kFailed:
      return "failed";
    case DsnAction::kDelayed:
      return "delayed";
    case DsnAction::kSucceeded:
      break;
  }
  return recipient.relayed ? "relayed" : "delivered";
}

std::string Subject(const DsnFacts& facts) {
  switch (facts.action) {
    case DsnAction::kFailed:
      return "Your message could not be delivered";
    case DsnAction::kDelayed:
      return "Your message is delayed, we keep trying";
    case DsnAction::kSucceeded:
      break;
  }
  return std::string("Your message has been ") + SuccessWord(facts);
}

void HumanPart(WireWriter* writer, const DsnFacts& facts) {
  const bool failed = facts.action == DsnAction::kFailed;
  const bool delayed = facts.action == DsnAction::kDelayed;
  const bool one = facts.recipients.size() == 1;
  const std::string whom = one ? "this recipient:" : "these recipients:";
  if (failed) {
    Paragraph(writer, "Y" + TheirMessage(facts) + " could not be delivered to " + whom);
  } else if (!delayed) {
    Paragraph(writer, "As you have asked to be told: y" + TheirMessage(facts) + " has been " +
                          SuccessWord(facts) + " to " + whom);
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
    if (facts.wants_full && !facts.full) {
      writer->Line("");
      Paragraph(writer,
                "The message itself is too large to come back with this notice: only its headers "
                "are below.");
    }
  } else if (!delayed) {
    Paragraph(writer, "You need not do anything.");
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
  if (!facts.envid.empty()) {
    writer->Line({"Original-Envelope-Id: ", Presentable(smtp::DecodeXtext(facts.envid))});
  }
  writer->Line({"Reporting-MTA: dns; ", Presentable(facts.reporting_mta, 255)});
  writer->Line({"Arrival-Date: ", DateOf(facts.arrival_wall_ns)});
  writer->Line({"X-Outbox-Id: ", Presentable(facts.message_id, 64)});
  for (const DsnRecipient& recipient : facts.recipients) {
    writer->Line("");
    if (const size_t type = recipient.orcpt.find(';'); type != std::string_view::npos) {
      const std::string address = smtp::DecodeXtext(recipient.orcpt.substr(type + 1));
      if (core::IsAscii(address)) {
        writer->Line(
            {"Original-Recipient: ", recipient.orcpt.substr(0, type), "; ", Presentable(address)});
      } else {
        writer->Line({"Original-Recipient: ", TypedAddress(address)});
      }
    }
    writer->Line({"Final-Recipient: ", TypedAddress(recipient.address)});
    writer->Line({"Action: ", ActionWord(facts, recipient)});
    writer->Line({"Status: ", Status(facts, recipient)});
    if (facts.action == DsnAction::kSucceeded && !recipient.relayed) {
      // Where its mailbox lies is nobody's business.
    } else if (recipient.code > 0) {
      std::string host = Presentable(recipient.mailhost, 256);
      if (const size_t colon = host.rfind(':'); colon != std::string::npos) host.resize(colon);
      if (!host.empty() && host.find('[') == std::string::npos) host = "[" + host + "]";
      writer->Line({"Remote-MTA: dns; ", host});
      writer->Line({"Diagnostic-Code: smtp; ", std::to_string(recipient.code), " ",
                    recipient.enhanced.empty() ? "" : Presentable(recipient.enhanced, 16) + " ",
                    Presentable(recipient.text)});
    } else if (!recipient.text.empty()) {
      writer->Line({"Diagnostic-Code: X-Outbox; ", Presentable(recipient.text)});
    }
    // A notice that a period has passed comes some time after the last attempt.
    if (facts.action != DsnAction::kDelayed && !recipient.expired) {
      writer->Line({"Last-Attempt-Date: ", DateOf(facts.now_wall_ns)});
    }
    if (facts.action == DsnAction::kDelayed && facts.retry_until_wall_ns > 0) {
      writer->Line({"Will-Retry-Until: ", DateOf(facts.retry_until_wall_ns)});
    }
  }
  writer->Line("");
}

}  // namespace

void ComposeDsn(const DsnFacts& facts, std::string* out) {
  CHECK(!facts.return_path.empty());
  CHECK(!facts.recipients.empty());
  WireWriter writer(out);
  const std::string mta = Presentable(facts.reporting_mta, 255);
  const std::string dsn_id = Presentable(facts.dsn_id, 64);
  // The boundary must not occur in what we quote: the id is ours and new.
  const std::string boundary = "=_outbox_" + dsn_id;
  writer.Line({"From: Mail Delivery System <MAILER-DAEMON@", mta, ">"});
  writer.Line({"To: ", ToField(facts.return_path)});
  writer.Line({"Subject: ", Subject(facts)});
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
  if (facts.full && facts.eight_bit) writer.Line("Content-Transfer-Encoding: 8bit");
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
  QuoteOriginal(&writer, facts);
  writer.Line({"--", boundary, "--"});
  writer.End();
}

}  // namespace outbox::queue
