#include "dns/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace outbox::dns {
namespace {

constexpr size_t kLengthBytes = 2;  // before a message in a TCP stream, RFC 1035 4.2.2

// Short, and the same on every machine.
std::string ErrorText(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "refused the connection";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "cannot be reached";
    case ETIMEDOUT:
      return "did not answer";
    case ECONNRESET:
    case EPIPE:
      return "broke the connection";
    case EMFILE:
    case ENFILE:
      return "could not be asked: no file descriptor is left";
    default:
      return "could not be asked: error " + std::to_string(error);
  }
}

}  // namespace

Channel::Channel(Transport* transport) : transport_(transport) {
  timer_.Bind<&Channel::OnTimer>(this);
  send_.Bind<&Channel::OnDatagramSent>(this);
  receive_.Bind<&Channel::OnDatagram>(this);
  connect_.Bind<&Channel::OnConnected>(this);
}

void Channel::Start(Question* question) {
  CHECK(!busy_);
  busy_ = true;
  ++transport_->counters()->questions;
  question_ = question;
  result_ = QuestionResult();
  servers_ = transport_->servers();
  order_ = servers_->Order(now_ns());
  tried_.assign(servers_->size(), Tried());
  place_ = 0;
  round_ = 0;
  edns_ = true;
  // With dead servers a long queue of questions is not to wait its full time one after the other.
  const bool all_rest = servers_->AllRest(now_ns());
  deadline_ns_ = now_ns() + (all_rest ? core::kDnsQuestionRestNs : core::kDnsQuestionNs);
  server_ = order_[0];
  Try();
}

void Channel::Abort() {
  if (!busy_) return;
  question_ = nullptr;
  EndTry(After::kFinish);
}

// --- Tries ---------------------------------------------------------------------------------------

// The next server that has not been given up, after the last one a new round; the end when there is
// none, or no time.
void Channel::NextServer() {
  for (size_t steps = 0; steps < order_.size(); ++steps) {
    if (++place_ == order_.size()) {
      place_ = 0;
      ++round_;
    }
    server_ = order_[place_];
    if (tried_[server_].given_up) continue;
    if (now_ns() >= deadline_ns_) break;
    edns_ = true;
    return Try();
  }
  Finish();
}

void Channel::SetTimer(int64_t limit_ns) {
  const int64_t at_ns = std::min(now_ns() + limit_ns, deadline_ns_);
  // A full wheel: there is no try without a limit.
  if (!timer_.Set(transport_->wheel(), at_ns)) Fail("could not be asked: no timer is left", true);
}

size_t Channel::Encode(std::span<char> out) {
  id_ = static_cast<uint16_t>(transport_->io()->RandomU64());
  return EncodeQuestion(question_->name, question_->type, id_, edns_, out);
}

void Channel::Try() { return question_->tcp ? TryTcp() : TryUdp(); }

void Channel::TryUdp() {
  after_ = After::kUndecided;
  by_tcp_ = false;
  mismatches_ = 0;
  const int socket = transport_->io()->OpenUdp(servers_->address(server_), nullptr);
  if (socket < 0) {
    // The timer goes on, since this may be Start.
    tried_[server_] = {ErrorText(-socket), true};
    after_ = After::kNextServer;
    return SetTimer(0);
  }
  udp_ = socket;
  const size_t size = Encode(request_);
  part_ = {request_.data(), size};
  ++transport_->counters()->datagrams;
  transport_->io()->Send(&send_, udp_, {&part_, 1});
  ReceiveDatagram();
  SetTimer(std::min(core::kDnsTryNs << std::min(round_, 8u), core::kDnsTryMaxNs));
}

void Channel::ReceiveDatagram() { transport_->io()->RecvInto(&receive_, udp_, datagram_); }

void Channel::TryTcp() {
  after_ = After::kUndecided;
  by_tcp_ = true;
  stream_.clear();
  ++transport_->counters()->tcp;
  transport_->io()->Connect(&connect_, servers_->address(server_), nullptr);
  SetTimer(core::kDnsTryMaxNs);
}

void Channel::Fail(std::string what, bool give_up) {
  tried_[server_] = {std::move(what), give_up};
  EndTry(After::kNextServer);
}

void Channel::EndTry(After after) {
  after_ = after;
  timer_.Cancel();
  for (io::Op* op : {&send_, &receive_, &connect_}) transport_->io()->Cancel(op);
  if (!connection_.closed()) connection_.Terminate(io::Connection::End::kReset);
  GoOnIfJoined();
}

void Channel::GoOnIfJoined() {
  if (after_ == After::kUndecided) return;
  if (send_.in_flight || receive_.in_flight || connect_.in_flight || !connection_.closed()) return;
  if (udp_ != io::kNoHandle) {
    transport_->io()->CloseSocket(std::exchange(udp_, io::kNoHandle), false);
  }
  if (question_ == nullptr) return Finish();
  switch (after_) {
    case After::kNextServer:
      return NextServer();
    case After::kSameServer:
      return TryUdp();
    case After::kTcp:
      return TryTcp();
    case After::kFinish:
      return Finish();
    case After::kUndecided:
      return;
  }
}

void Channel::Finish() {
  Question* const question = std::exchange(question_, nullptr);
  std::string().swap(stream_);
  busy_ = false;
  after_ = After::kUndecided;
  if (question != nullptr) {
    if (!result_.answered) {
      result_.failure = Failure();
      ++transport_->counters()->failed;
    }
    question->done(question->owner, &result_);
  }
  transport_->OnIdle(this);
}

std::string Channel::Failure() const {
  std::string text;
  for (const uint8_t server : order_) {
    if (tried_[server].failure.empty()) continue;
    if (!text.empty()) text += ", ";
    text += servers_->name(server) + " " + tried_[server].failure;
  }
  return text;
}

// --- What comes ----------------------------------------------------------------------------------

void Channel::OnTimer() {
  // The try could not even begin.
  if (after_ != After::kUndecided) return GoOnIfJoined();
  ++transport_->counters()->timeouts;
  servers_->OnMiss(server_, now_ns());
  Fail("did not answer", false);
}

void Channel::OnDatagramSent(const io::OpResult& result) {
  if (after_ != After::kUndecided) return GoOnIfJoined();
  if (result.result >= 0) return;
  servers_->OnMiss(server_, now_ns());
  Fail(ErrorText(-result.result), true);
}

void Channel::OnDatagram(const io::OpResult& result) {
  if (after_ != After::kUndecided) return GoOnIfJoined();
  if (result.result < 0) {
    servers_->OnMiss(server_, now_ns());
    return Fail(ErrorText(-result.result), true);
  }
  if (Judge(std::span<const char>(datagram_).first(static_cast<size_t>(result.result)))) return;
  // Somebody who guesses ids is not to have as many guesses as he likes.
  if (++mismatches_ > core::kDnsMismatchesMax) return EndTry(After::kTcp);
  ReceiveDatagram();
}

bool Channel::Judge(std::span<const char> bytes) {
  Reply reply = ReadReply(bytes, id_, question_->name, question_->type);
  ResolverCounters* const counters = transport_->counters();
  if (reply.kind == ReplyKind::kMismatch) {
    ++counters->mismatches;
    return false;
  }
  servers_->OnAnswer(server_);
  switch (reply.kind) {
    case ReplyKind::kAnswer:
    case ReplyKind::kAlias:
      result_.reply = std::move(reply);
      result_.answered = true;
      result_.edns = edns_;
      result_.server = servers_->name(server_);
      EndTry(After::kFinish);
      break;
    case ReplyKind::kTruncated:
      if (!by_tcp_) {
        EndTry(After::kTcp);
        break;
      }
      [[fallthrough]];
    case ReplyKind::kMalformed:
      ++counters->malformed;
      Fail("sent an answer that cannot be read", true);
      break;
    case ReplyKind::kServerError:
      OnServerError(reply);
      break;
    case ReplyKind::kMismatch:
      break;
  }
  return true;
}

void Channel::OnServerError(const Reply& reply) {
  const bool knows_no_edns =
      reply.code == ResponseCode::kFormatError || reply.code == ResponseCode::kNotImplemented;
  if (knows_no_edns && edns_ && !by_tcp_) {
    edns_ = false;  // RFC 6891 7
    return EndTry(After::kSameServer);
  }
  ++transport_->counters()->server_errors;
  Fail(reply.referral ? "only names other servers" : "answered " + ResponseCodeName(reply.code),
       true);
}

// --- TCP -----------------------------------------------------------------------------------------

void Channel::OnConnected(const io::OpResult& result) {
  if (after_ != After::kUndecided) {
    if (result.result >= 0) transport_->io()->CloseSocket(result.result, true);
    return GoOnIfJoined();
  }
  if (result.result < 0) return Fail(ErrorText(-result.result) + " (TCP)", true);
  connection_.Start(transport_->io(), result.result, this);
  const size_t size = Encode(std::span(request_).subspan(kLengthBytes));
  request_[0] = static_cast<char>(size >> 8);
  request_[1] = static_cast<char>(size & 0xff);
  part_ = {request_.data(), kLengthBytes + size};
  connection_.Send({&part_, 1});
  connection_.Receive();
}

void Channel::OnBytes(std::span<char> bytes) {
  stream_.append(bytes.data(), bytes.size());
  const auto octet = [this](size_t at) { return static_cast<uint8_t>(stream_[at]); };
  const size_t whole =
      stream_.size() < kLengthBytes ? SIZE_MAX : kLengthBytes + (size_t{octet(0)} << 8 | octet(1));
  if (stream_.size() < whole) return connection_.Receive();
  const std::span<const char> message = std::span<const char>(stream_).first(whole);
  if (Judge(message.subspan(kLengthBytes))) return;
  Fail("sent the answer to another question", true);
}

void Channel::OnReceived(size_t) { CHECK(false); }

void Channel::OnEndOfStream() { Fail("broke the connection", true); }

void Channel::OnSent(size_t) {}

void Channel::OnError(int error) { Fail(ErrorText(error) + " (TCP)", true); }

void Channel::OnClosed() { GoOnIfJoined(); }

}  // namespace outbox::dns
