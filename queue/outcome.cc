#include "queue/outcome.h"

#include "core/check.h"

namespace outbox::queue {
namespace {

// What we were doing, to be read behind "while" .
const char* Doing(smtp::Stage stage) {
  switch (stage) {
    case smtp::Stage::kConnect:
      return "while connecting";
    case smtp::Stage::kGreeting:
      return "while waiting for the greeting";
    case smtp::Stage::kHello:
      return "while waiting for the answer to EHLO";
    case smtp::Stage::kStartTls:
      return "while waiting for the answer to STARTTLS";
    case smtp::Stage::kTls:
      return "during the TLS handshake";
    case smtp::Stage::kAuth:
      return "while waiting for the answer to AUTH";
    case smtp::Stage::kMail:
      return "while waiting for the answer to MAIL FROM";
    case smtp::Stage::kRcpt:
      return "while waiting for the answer to RCPT TO";
    case smtp::Stage::kData:
      return "while waiting for the answer to DATA";
    case smtp::Stage::kBody:
      return "while the message was being sent";
    case smtp::Stage::kFinalDot:
      return "after the message was sent, before it was confirmed";
    case smtp::Stage::kReset:
      return "while waiting for the answer to RSET";
    case smtp::Stage::kIdle:
    case smtp::Stage::kQuit:
      break;
  }
  return "between two messages";
}

struct Words {
  const char* text;
  const char* enhanced;  // RFC 3463
};

// What happened, behind the host's name.
Words WordsOf(smtp::SessionEnd end) {
  switch (end) {
    case smtp::SessionEnd::kConnectFailed:
      return {"could not be reached", "4.4.1"};
    case smtp::SessionEnd::kTimeout:
      return {"did not answer in time", "4.4.2"};
    case smtp::SessionEnd::kPeerClosed:
      return {"closed the connection", "4.4.2"};
    case smtp::SessionEnd::kNetworkError:
      return {"was lost by a network error", "4.4.2"};
    case smtp::SessionEnd::kProtocolError:
      return {"did not speak SMTP", "4.5.0"};
    case smtp::SessionEnd::kSourceFailed:
      return {"waited in vain: the message could not be read from the spool", "4.3.0"};
    case smtp::SessionEnd::kCancelled:
      return {"was left because we are stopping", "4.3.2"};
    case smtp::SessionEnd::kShortage:
    case smtp::SessionEnd::kNoPort:
      return {"was not asked: we are short of connections of our own", "4.3.1"};
    case smtp::SessionEnd::kNoAddress:
      return {"was not asked: the address to send from is not on this machine", "4.4.0"};
    case smtp::SessionEnd::kTlsFailed:
      return {"could not be spoken to over TLS", "4.7.5"};
    case smtp::SessionEnd::kTlsMissing:
      return {"has no TLS for us, and the route requires it", "4.7.4"};
    case smtp::SessionEnd::kAuthRefused:
      return {"refused our user ", "4.7.8"};
    case smtp::SessionEnd::kAuthMissing:
      return {"cannot be told that we are the user ", "4.7.0"};
    case smtp::SessionEnd::kRefused:
    case smtp::SessionEnd::kShutdown:
    case smtp::SessionEnd::kQuit:
    case smtp::SessionEnd::kNoChunking:
      break;
  }
  return {"ended the session", "4.4.2"};
}

}  // namespace

std::string EnhancedText(const smtp::EnhancedCode& code) {
  if (code.empty()) return "";
  return std::to_string(code.status_class) + "." + std::to_string(code.subject) + "." +
         std::to_string(code.detail);
}

Action JudgeRecipient(const smtp::RecipientResult& result) {
  switch (result.kind) {
    case smtp::ResultKind::kReply:
      if (result.reply.code / 100 == 2) return Action::kDelivered;
      if (result.reply.code / 100 == 5) return Action::kBounce;
      return Action::kNextHost;
    case smtp::ResultKind::kTryNext:
    case smtp::ResultKind::kAnew:
      return Action::kNextTransaction;
    case smtp::ResultKind::kTooLarge:
    case smtp::ResultKind::kNeeds8BitMime:
    case smtp::ResultKind::kNeedsSmtpUtf8:
      return Action::kBounce;
    case smtp::ResultKind::kLost:
      return Action::kNextHost;
  }
  return Action::kNextHost;
}

HostJudgement JudgeSession(smtp::SessionEnd end, smtp::Stage stage, uint16_t code) {
  const bool early = stage <= smtp::Stage::kMail || stage == smtp::Stage::kReset;
  const bool tls = stage == smtp::Stage::kStartTls || stage == smtp::Stage::kTls;
  const bool auth = stage == smtp::Stage::kAuth;
  switch (end) {
    case smtp::SessionEnd::kTlsFailed:
    case smtp::SessionEnd::kTlsMissing:
      return {.insecure = true};
    case smtp::SessionEnd::kAuthRefused:
    case smtp::SessionEnd::kAuthMissing:
      return {.unknown = true};
    case smtp::SessionEnd::kRefused:
      return {.refused = code / 100 == 5, .unreachable = true};
    case smtp::SessionEnd::kConnectFailed:
      return {.unreachable = true};
    case smtp::SessionEnd::kShutdown:
    case smtp::SessionEnd::kProtocolError:
    case smtp::SessionEnd::kPeerClosed:
    case smtp::SessionEnd::kTimeout:
    case smtp::SessionEnd::kNetworkError:
      return {.unreachable = early && !tls && !auth, .insecure = tls, .unknown = auth};
    case smtp::SessionEnd::kShortage:
    case smtp::SessionEnd::kNoPort:
      return {.ours = true};
    case smtp::SessionEnd::kNoAddress:
      return {.ours = true, .unsourced = true};
    case smtp::SessionEnd::kQuit:
    case smtp::SessionEnd::kCancelled:
    case smtp::SessionEnd::kSourceFailed:
    case smtp::SessionEnd::kNoChunking:
      break;
  }
  return {};
}

Verdict JudgeLeftOver(uint32_t tried, uint32_t refused) {
  return tried >= 1 && refused == tried ? Verdict::kBounced : Verdict::kDeferred;
}

void DescribeRecipient(const smtp::RecipientResult& result, std::string_view host,
                       RecipientResult* out) {
  out->code = result.reply.code;
  out->enhanced = EnhancedText(result.reply.enhanced);
  out->text.assign(result.reply.text);
  switch (result.kind) {
    case smtp::ResultKind::kReply:
    case smtp::ResultKind::kTryNext:
    case smtp::ResultKind::kAnew:
      return;
    case smtp::ResultKind::kTooLarge:
      out->enhanced = "5.3.4";
      out->text = std::string(host) + " does not take messages of this size";
      return;
    case smtp::ResultKind::kNeeds8BitMime:
      out->enhanced = "5.6.3";
      out->text =
          "the message has 8-bit content, and " + std::string(host) + " does not offer 8BITMIME";
      return;
    case smtp::ResultKind::kNeedsSmtpUtf8:
      out->enhanced = "5.6.7";
      out->text = "the message needs SMTPUTF8, which " + std::string(host) + " does not offer";
      return;
    case smtp::ResultKind::kLost:
      break;
  }
  if (out->code != 0) return;  // the 421 that ended the session
  if (out->enhanced.empty()) out->enhanced = "4.4.2";
  std::string sentence = "the connection to " + std::string(host) + " ended " + Doing(result.stage);
  if (!out->text.empty()) sentence += ": " + out->text;
  out->text = std::move(sentence);
}

void DescribeSession(smtp::SessionEnd end, smtp::Stage stage, const smtp::Reply& reply,
                     std::string_view host, std::string_view user, RecipientResult* out) {
  const bool tls = end == smtp::SessionEnd::kTlsFailed || end == smtp::SessionEnd::kTlsMissing;
  // With a 421, too; but not when it is we who could make nothing of what it has said.
  if (stage == smtp::Stage::kAuth && reply.code != 0) end = smtp::SessionEnd::kAuthRefused;
  if (end == smtp::SessionEnd::kAuthRefused && reply.code == 0) {
    end = smtp::SessionEnd::kAuthMissing;
  }
  const bool auth = end == smtp::SessionEnd::kAuthRefused || end == smtp::SessionEnd::kAuthMissing;
  if (tls || auth) {  // the reason is ours, whatever the host has said
    const Words said = WordsOf(end);
    out->code = 0;
    out->enhanced = said.enhanced;
    out->text = std::string(host) + " " + said.text;
    if (auth) out->text += user;
    std::string answer = reply.code == 0 ? "" : std::to_string(reply.code) + " ";
    if (!reply.enhanced.empty()) answer += EnhancedText(reply.enhanced) + " ";
    if (!reply.text.empty()) out->text += ": " + answer + std::string(reply.text);
    return;
  }
  out->code = reply.code;
  out->enhanced = EnhancedText(reply.enhanced);
  out->text.assign(reply.text);
  if (reply.code != 0) return;
  const Words words = WordsOf(end);
  out->enhanced = words.enhanced;
  if (end == smtp::SessionEnd::kConnectFailed && !reply.text.empty()) {
    out->text.assign(reply.text);  // "connect to 10.1.2.3:25: Connection refused" says it all
    return;
  }
  out->text = std::string(host) + " " + words.text + " " + Doing(stage);
  if (!reply.text.empty()) out->text += ": " + std::string(reply.text);
}

}  // namespace outbox::queue
