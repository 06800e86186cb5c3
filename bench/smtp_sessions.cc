// What a message costs in the sessions alone: commands, replies and the scan of a 4 KiB body.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "core/check.h"
#include "smtp/client_session.h"
#include "smtp/server_session.h"

namespace outbox::smtp {
namespace {

std::string FourKiB() {
  std::string body =
      "Received: from client.example.org by source.example.org; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
      "From: sender@example.org\r\nTo: recipient@example.com\r\nSubject: bench\r\n"
      "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n";
  while (body.size() < 4096) body += std::string(76, 'x') + "\r\n";
  return body + ".\r\n";
}

// Runs the session over `input`, saying yes to everything. Returns the messages committed.
int Serve(ServerSession* session, std::string_view input, OutputBuffer* out) {
  using Step = ServerSession::Step;
  int committed = 0;
  while (true) {
    Step step = session->Next(&input, out);
    if (step == Step::kNeedBytes) return committed;
    if (step == Step::kFlush) out->Clear();
    if (session->phase() != ServerSession::Phase::kAnswer) continue;
    committed += step == Step::kEndOfBody;
    session->Answer(step == Step::kAskData ? Reply{354, {}, "Go on"} : Reply{250, {2, 0, 0}, "Ok"},
                    out);
  }
}

// One message of a pipelining client: the envelope in one piece, then the body.
void BM_ServerSessionMessage(benchmark::State& state) {
  ServerSessionOptions options;
  options.hostname = "relay.example.com";
  ServerSession session(&options);
  char memory[4096];
  OutputBuffer out{memory};
  session.Start(&out);
  Serve(&session, "EHLO client.example.org\r\n", &out);
  const std::string envelope =
      "MAIL FROM:<sender@example.org> SIZE=4096\r\nRCPT TO:<recipient@example.com>\r\nDATA\r\n";
  const std::string body = FourKiB();
  for (auto _ : state) {
    out.Clear();
    Serve(&session, envelope, &out);
    out.Clear();
    CHECK(Serve(&session, body, &out) == 1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ServerSessionMessage);

// One message to a pipelining server, the next envelope behind its body.
void BM_ClientSessionMessage(benchmark::State& state) {
  ClientSessionOptions options{"client.example.org"};
  ClientSession session(&options);
  char memory[4096];
  OutputBuffer out{memory};
  const auto serve = [&](std::string_view replies) {
    while (true) {
      const ClientSession::Event event = session.Next(&replies);
      if (event.kind == ClientSession::EventKind::kNeedBytes) return;
      if (event.kind == ClientSession::EventKind::kSendBody) session.BodyQueued(event.transaction);
    }
  };
  const std::string_view recipient = "recipient@example.com";
  const ClientEnvelope envelope{"sender@example.org", {&recipient, 1}, 4096, false};
  serve("220 mx.example.com ESMTP\r\n");
  session.Write(&out);
  serve("250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME\r\n");
  session.BeginTransaction(envelope);
  session.Write(&out);
  for (auto _ : state) {
    serve("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    out.Clear();
    session.BeginTransaction(envelope);
    session.Write(&out);
    serve("250 2.0.0 Ok: queued as 4Abcdef\r\n");
    CHECK(session.busy());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ClientSessionMessage);

}  // namespace
}  // namespace outbox::smtp
