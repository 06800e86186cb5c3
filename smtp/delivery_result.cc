#include "smtp/delivery_result.h"

namespace outbox::smtp {

const char* StageName(Stage stage) {
  switch (stage) {
    case Stage::kConnect:
      return "connect";
    case Stage::kGreeting:
      return "greeting";
    case Stage::kHello:
      return "EHLO";
    case Stage::kStartTls:
      return "STARTTLS";
    case Stage::kTls:
      return "TLS handshake";
    case Stage::kAuth:
      return "AUTH";
    case Stage::kMail:
      return "MAIL";
    case Stage::kRcpt:
      return "RCPT";
    case Stage::kData:
      return "DATA";
    case Stage::kBody:
      return "message";
    case Stage::kFinalDot:
      return "final dot";
    case Stage::kReset:
      return "RSET";
    case Stage::kIdle:
      return "idle";
    case Stage::kQuit:
      return "QUIT";
  }
  return "unknown";
}

const char* SessionEndName(SessionEnd end) {
  switch (end) {
    case SessionEnd::kQuit:
      return "quit";
    case SessionEnd::kRefused:
      return "session refused";
    case SessionEnd::kShutdown:
      return "the server closes";
    case SessionEnd::kProtocolError:
      return "protocol error";
    case SessionEnd::kPeerClosed:
      return "connection closed by the server";
    case SessionEnd::kTimeout:
      return "timeout";
    case SessionEnd::kConnectFailed:
      return "connect failed";
    case SessionEnd::kNetworkError:
      return "network error";
    case SessionEnd::kCancelled:
      return "cancelled";
    case SessionEnd::kSourceFailed:
      return "the message could not be read";
    case SessionEnd::kShortage:
      return "we are short of descriptors or memory";
    case SessionEnd::kNoPort:
      return "we have no port left";
    case SessionEnd::kNoAddress:
      return "the address to send from is not here";
    case SessionEnd::kTlsFailed:
      return "TLS failed";
    case SessionEnd::kTlsMissing:
      return "no TLS";
    case SessionEnd::kAuthRefused:
      return "AUTH refused";
    case SessionEnd::kAuthMissing:
      return "no AUTH";
    case SessionEnd::kNoChunking:
      return "no BDAT though CHUNKING is offered";
  }
  return "unknown";
}

}  // namespace outbox::smtp
