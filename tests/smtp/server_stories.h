// Stories of the server's side: what a client says, and what it leads to.
#ifndef OUTBOX_TESTS_SMTP_SERVER_STORIES_H_
#define OUTBOX_TESTS_SMTP_SERVER_STORIES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/limits.h"
#include "smtp/server_session.h"

namespace outbox::smtp {

// Limits that a short story can reach.
inline ServerSessionOptions Options() {
  ServerSessionOptions options;
  options.hostname = "relay.example.com";
  options.max_message_bytes = 3000;
  options.max_recipients = 3;
  options.max_errors = 5;
  options.max_text_line = 2000;
  options.max_received_headers = 2;
  options.refuse_nul = true;
  return options;
}

// A dialogue, told by what the client says, and what it leads to.
struct Story {
  const char* name;
  std::string client;
  std::string codes;                // of the replies, the banner's first
  std::vector<std::string> events;  // HELLO left out
  std::vector<std::string> messages;
  bool closed = false;
  std::string says;  // somewhere in the output
  bool chunking = false;  // is offered
};

inline const std::string kEhlo = "EHLO client.example.org\r\n";
inline const std::string kMail = "MAIL FROM:<a@b.c>\r\n";
inline const std::string kRcpt = "RCPT TO:<d@e.f>\r\n";
inline const std::string kEnvelope = kMail + kRcpt + "DATA\r\n";
inline const std::string kText = "Subject: hi\r\n\r\nhello\r\n.\r\n";

inline std::vector<Story> Stories() {
  const std::vector<std::string> envelope = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA"};
  const std::vector<std::string> whole = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "COMMIT"};
  const std::vector<std::string> aborted = {"MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "ABORT"};
  std::vector<std::string> twice = whole;
  twice.insert(twice.end(), whole.begin(), whole.end());
  std::vector<std::string> aborted_then_whole = aborted;
  aborted_then_whole.insert(aborted_then_whole.end(), whole.begin(), whole.end());
  const std::string stuffed = "a\r\n..dot\r\n.\r\n";
  std::string many_noops;
  for (uint32_t i = 0; i < core::kSmtpIdleCommandsMax + 4; ++i) many_noops += "NOOP\r\n";
  std::string noop_codes = "220 250x7";
  for (uint32_t i = 0; i < core::kSmtpIdleCommandsMax + 3; ++i) noop_codes += " 250";
  return {
      {"one message",
       kEhlo + kEnvelope + kText + "QUIT\r\n",
       "220 250x7 250 250 354 250 221",
       whole,
       {kText},
       true,
       "250 2.0.0 Queued\r\n221 2.0.0 Bye\r\n"},
      {"two messages on one connection",
       kEhlo + kEnvelope + kText + kEnvelope + stuffed + "QUIT\r\n",
       "220 250x7 250 250 354 250 250 250 354 250 221",
       twice,
       {kText, stuffed},
       true,
       ""},
      {"HELO has no extensions",
       "HELO c\r\nMAIL FROM:<a@b.c> SIZE=1\r\n" + kEnvelope + kText,
       "220 250 555 250 250 354 250",
       whole,
       {kText},
       false,
       "250 relay.example.com\r\n"},
      {"EHLO tells the extensions",
       kEhlo,
       "220 250x7",
       {},
       {},
       false,
       "250-relay.example.com\r\n250-PIPELINING\r\n250-SIZE 3000\r\n250-8BITMIME\r\n"
       "250-SMTPUTF8\r\n"
       "250-DSN\r\n"
       "250 ENHANCEDSTATUSCODES\r\n"},
      {"no content",
       kEhlo + kEnvelope + ".\r\n",
       "220 250x7 250 250 354 250",
       whole,
       {".\r\n"},
       false,
       ""},
      {"the null reverse-path and the postmaster",
       kEhlo + "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n",
       "220 250x7 250 250",
       {"MAIL <>", "RCPT <Postmaster>"},
       {},
       false,
       ""},
      {"some recipients refused",
       kEhlo + kMail + "RCPT TO:<refused@x.y>\r\nRCPT TO:<later@x.y>\r\n" + kRcpt + "DATA\r\n" +
           kText,
       "220 250x7 250 550 450 250 354 250",
       {"MAIL <a@b.c>", "RCPT <refused@x.y>", "RCPT <later@x.y>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       "550 5.7.1 Not this one\r\n450 4.2.1 Try later\r\n"},
      {"all recipients refused",
       kEhlo + kMail + "RCPT TO:<refused@x.y>\r\nDATA\r\nRSET\r\n" + kEnvelope + kText,
       "220 250x7 250 550 554 250 250 250 354 250",
       {"MAIL <a@b.c>", "RCPT <refused@x.y>", "ABORT", "MAIL <a@b.c>", "RCPT <d@e.f>", "DATA",
        "COMMIT"},
       {kText},
       false,
       "554 5.5.1 No valid recipients\r\n"},
      {"sender refused",
       kEhlo + "MAIL FROM:<refused@x.y>\r\n" + kRcpt,
       "220 250x7 550 503",
       {"MAIL <refused@x.y>"},
       {},
       false,
       ""},
      {"too many recipients",
       kEhlo + kMail + kRcpt + kRcpt + kRcpt + kRcpt + "DATA\r\n" + kText,
       "220 250x7 250 250 250 250 452 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "RCPT <d@e.f>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       "452 4.5.3 "},
      {"out of sequence",
       "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n" + kEhlo + kMail + kMail,
       "220 503 503 503 250x7 250 503",
       {"MAIL <a@b.c>"},
       {},
       false,
       "503 5.5.1 Send EHLO or HELO"},
      {"DATA without RCPT",
       kEhlo + kMail + "DATA\r\n",
       "220 250x7 250 503",
       {"MAIL <a@b.c>"},
       {},
       false,
       ""},
      {"RSET forgets",
       kEhlo + kMail + kRcpt + "RSET\r\n" + kEnvelope + kText,
       "220 250x7 250 250 250 250 250 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "ABORT", "MAIL <a@b.c>", "RCPT <d@e.f>", "DATA", "COMMIT"},
       {kText},
       false,
       ""},
      {"RSET with nothing to forget", kEhlo + "RSET\r\n", "220 250x7 250", {}, {}, false, ""},
      {"EHLO forgets",
       kEhlo + kMail + kEhlo + kMail,
       "220 250x7 250 250x7 250",
       {"MAIL <a@b.c>", "MAIL <a@b.c>"},
       {},
       false,
       ""},
      {"the other commands",
       kEhlo + "NOOP\r\nVRFY a\r\nHELP\r\nEXPN a\r\nXYZZY\r\n",
       "220 250x7 250 252 214 502 500",
       {},
       {},
       false,
       ""},
      {"a syntax error tells its column",
       kEhlo + "MAIL FROM:<a b@c.d>\r\n",
       "220 250x7 501",
       {},
       {},
       false,
       " (at column 13)\r\n"},
      {"UTF-8 in a recipient needs SMTPUTF8 at MAIL",
       kEhlo + kMail + "RCPT TO:<\xc3\xa4@b.c>\r\n" +
           "RSET\r\nMAIL FROM:<\xc3\xb6@b.c> SMTPUTF8\r\n" + "RCPT TO:<\xc3\xa4@b.c>\r\n" +
           "DATA\r\n" + kText + kMail + "RCPT TO:<\xc3\xa4@b.c>\r\n",
       "220 250x7 250 553 250 250 250 354 250 250 553",
       {"MAIL <a@b.c>", "ABORT", "MAIL <\xc3\xb6@b.c>", "RCPT <\xc3\xa4@b.c>", "DATA", "COMMIT",
        "MAIL <a@b.c>"},
       {kText},
       false,
       " (at column 10)\r\n"},
      {"non-ASCII address",
       kEhlo + "MAIL FROM:<\xc3\xa4@b.c>\r\n",
       "220 250x7 553",
       {},
       {},
       false,
       "553 5.6.7 "},
      {"declared too large",
       kEhlo + "MAIL FROM:<a@b.c> SIZE=3001\r\n" + kEnvelope + kText,
       "220 250x7 552 250 250 354 250",
       whole,
       {kText},
       false,
       "552 5.3.4 "},
      {"really too large, and the next one fits",
       kEhlo + kEnvelope + std::string(100, 'x') + "\r\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 40; ++i) lines += std::string(98, 'y') + "\r\n";
             return lines;
           }() +
           ".\r\n" + kEnvelope + kText,
       "220 250x7 250 250 354 552 250 250 354 250",
       aborted_then_whole,
       {kText},
       false,
       "552 5.3.4 "},
      {"stuffing does not count as size",
       kEhlo + kEnvelope +
           [] {
             std::string lines;
             for (int i = 0; i < 750; ++i) lines += "..x\r\n";
             return lines;
           }() +
           ".\r\n",
       "220 250x7 250 250 354 250",
       whole,
       {[] {
         std::string lines;
         for (int i = 0; i < 750; ++i) lines += "..x\r\n";
         return lines + ".\r\n";
       }()},
       false,
       ""},
      {"a bare LF in the message",
       kEhlo + kEnvelope + "a\nb\r\n.\r\n" + kEnvelope + kText,
       "220 250x7 250 250 354 550 250 250 354 250",
       aborted_then_whole,
       {kText},
       false,
       "550 5.6.0 "},
      {"a NUL in the message",
       kEhlo + kEnvelope + std::string("a\0b\r\n.\r\n", 8) + kEnvelope + kText,
       "220 250x7 250 250 354 550 250 250 354 250",
       aborted_then_whole,
       {kText},
       false,
       "550 5.6.0 "},
      {"a line too long",
       kEhlo + kEnvelope + std::string(2001, 'x') + "\r\n.\r\n",
       "220 250x7 250 250 354 550",
       aborted,
       {},
       false,
       "550 5.6.0 "},
      {"a mail loop",
       kEhlo + kEnvelope + "Received: 1\r\nReceived: 2\r\nReceived: 3\r\n\r\n.\r\n",
       "220 250x7 250 250 354 554",
       aborted,
       {},
       false,
       "554 5.4.6 "},
      {"too many errors",
       kEhlo + "A\r\nB\r\nC\r\nD\r\nE\r\nF\r\n",
       "220 250x7 500 500 500 500 421",
       {},
       {},
       true,
       "421 4.7.0 "},
      {"errors are forgiven by a message",
       kEhlo + "A\r\nB\r\nC\r\nD\r\n" + kEnvelope + kText + "E\r\n",
       "220 250x7 500 500 500 500 250 250 354 250 500",
       whole,
       {kText},
       false,
       ""},
      {"bad addresses of a list are no errors once one is good",
       kEhlo + kMail + kRcpt +
           "RCPT TO:<x>\r\nRCPT TO:<x>\r\nRCPT TO:<x>\r\nRCPT TO:<x>\r\n"
           "RCPT TO:<x>\r\nRCPT TO:<refused@x.y>\r\nDATA\r\n" +
           kText,
       "220 250x7 250 250 501 501 501 501 501 550 354 250",
       {"MAIL <a@b.c>", "RCPT <d@e.f>", "RCPT <refused@x.y>", "DATA", "COMMIT"},
       {kText},
       false,
       ""},
      {"busy idling", kEhlo + many_noops, noop_codes + " 421", {}, {}, true, "421 4.7.0 "},
      {"a bare LF ends no command",
       "EHLO c\nMAIL FROM:<a@b.c>\r\n",
       "220 521",
       {},
       {},
       true,
       "521 5.5.2 "},
      {"nor does a bare CR", "EHLO c\rQUIT\r\n", "220 521", {}, {}, true, "521 5.5.2 "},
      {"nor CR LF with one CR too many", "NOOP\r\r\n", "220 521", {}, {}, true, ""},
      {"a command line too long",
       kEhlo + "NOOP " + std::string(core::kSmtpCommandLineMax - 6, 'x') + "\r\nNOOP " +
           std::string(core::kSmtpCommandLineMax - 7, 'x') + "\r\n",
       "220 250x7 500 250",
       {},
       {},
       false,
       "500 5.5.2 "},
      {"a very long line without CR", std::string(5000, 'x') + "\n", "220 521", {}, {}, true, ""},
      {"a very long line",
       std::string(5000, 'x') + "\r\nQUIT\r\n",
       "220 500 221",
       {},
       {},
       true,
       ""},
      {"the driver closes at RCPT",
       kEhlo + kMail + "RCPT TO:<closing@x.y>\r\nNOOP\r\n",
       "220 250x7 250 421",
       {"MAIL <a@b.c>", "RCPT <closing@x.y>", "ABORT"},
       {},
       true,
       "421 4.3.2 Stopping"},
      {"smuggling LF.CRLF",
       kEhlo + kEnvelope + "a\n.\r\n" + kMail + kRcpt + "DATA\r\n" + "b\r\n.\r\n",
       "220 250x7 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling CRLF.LF",
       kEhlo + kEnvelope + "a\r\n.\n" + kMail + "b\r\n.\r\n",
       "220 250x7 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling CR.CRLF",
       kEhlo + kEnvelope + "a\r.\r\n" + kMail + "b\r\n.\r\n",
       "220 250x7 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"smuggling LF.LF",
       kEhlo + kEnvelope + "a\n.\n" + kMail + "b\r\n.\r\n",
       "220 250x7 250 250 354 550",
       aborted,
       {},
       false,
       ""},
      {"nothing but an envelope",
       kEhlo + kEnvelope,
       "220 250x7 250 250 354",
       envelope,
       {},
       false,
       ""},
  };
}

}  // namespace outbox::smtp

#endif  // OUTBOX_TESTS_SMTP_SERVER_STORIES_H_
