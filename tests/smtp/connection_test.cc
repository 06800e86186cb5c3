// The drivers against each other in the simulated world: mail arrives intact however the network
// cuts it, and whatever breaks, everybody is told exactly once.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/sim_network.h"
#include "tests/smtp/naive_body.h"
#include "tests/smtp/test_reception.h"
#include "tests/smtp/test_source.h"

namespace outbox::smtp {
namespace {

const core::SocketAddress kRelay{core::IpAddress::V4(192, 0, 2, 1), 25};

// A message in wire form of about `size` octets, with dots to be stuffed and lines of any length.
std::string Body(core::Random* random, size_t size) {
  std::string body;
  while (body.size() < size) {
    if (random->Chance(1, 10)) body += "..";
    body += std::string(random->Below(120), static_cast<char>('a' + random->Below(26))) + "\r\n";
  }
  return body + ".\r\n";
}

std::vector<OutgoingMail> SomeMail(core::Random* random, const std::string& name) {
  std::vector<OutgoingMail> mail;
  const uint64_t count = 1 + random->Below(6);
  for (uint64_t i = 0; i < count; ++i) {
    OutgoingMail m;
    m.reverse_path = random->Chance(1, 5) ? "" : name + std::to_string(i) + "@example.org";
    const uint64_t recipients = 1 + random->Below(5);
    for (uint64_t r = 0; r < recipients; ++r) {
      const char* kind = random->Chance(1, 5) ? "refused" : "user";
      m.recipients.push_back(kind + std::to_string(r) + "@example.com");
    }
    m.prefix =
        random->Chance(1, 4) ? "" : "Received: by " + name + "; " + std::to_string(i) + "\r\n";
    if (random->Chance(1, 10)) m.prefix += "X-Long: " + std::string(3000, 'p') + "\r\n";
    const size_t sizes[] = {0, 100, 4096, 70'000, 300'000};
    m.body = Body(random, sizes[random->Below(5)]);
    m.size = m.prefix.size() + NaiveUnstuffed(m.body).size();
    m.stuffed_dots = m.body.size() - 3 - NaiveUnstuffed(m.body).size();
    mail.push_back(std::move(m));
  }
  return mail;
}

// The healthy network's variety, without its faults.
io::SimOptions Network(core::Random* random, uint64_t seed) {
  io::SimOptions options;
  options.seed = seed;
  options.network.window_bytes_min = 1024;
  options.network.window_bytes_max = 1024 + random->Below(100'000);
  options.network.byte_by_byte_ppm = random->Chance(1, 10) ? 300'000 : 0;
  return options;
}

struct Pair {
  Pair(const io::SimOptions& options, const TestReception::Habits& habits)
      : world(options),
        server(&world, 1),
        client(&world, 2),
        reception(&server, habits, options.seed) {
    reception.Listen(kRelay);
  }
  TestSource* Connect(std::vector<OutgoingMail> mail, uint32_t late_percent = 0) {
    sources.push_back(std::make_unique<TestSource>(&client, std::move(mail), late_percent,
                                                   world.options().seed + sources.size()));
    return sources.back().get();
  }
  void Start() {
    for (auto& source : sources) source->connection.Start(kRelay, nullptr);
  }
  bool AllEnded() const {
    for (const auto& source : sources) {
      if (!source->ended) return false;
    }
    return reception.connections() == 0;
  }
  // Runs until everybody has ended; at most two simulated hours.
  void Run() {
    const auto ended = [this] { return AllEnded(); };
    EXPECT_EQ(world.RunUntil(ended, 2 * core::kNsPerHour), io::SimWorld::RunResult::kCondition);
    Stop();
  }
  void Stop() {
    reception.StopListening();
    world.RunUntil([this] { return !reception.accepting(); }, core::kNsPerSecond);
    EXPECT_EQ(server.blocks.out(), 0u);
    EXPECT_EQ(client.blocks.out(), 0u);
    EXPECT_EQ(server.wheel.size(), 0u);
    EXPECT_EQ(client.wheel.size(), 0u);
    EXPECT_EQ(reception.opened, reception.closed);
  }

  io::SimWorld world;
  SimShard server;
  SimShard client;
  TestReception reception;
  std::vector<std::unique_ptr<TestSource>> sources;
};

TestReception::Habits RandomHabits(core::Random* random) {
  TestReception::Habits habits;
  habits.late_percent = static_cast<uint32_t>(random->Below(3) * 30);
  habits.wait_percent = static_cast<uint32_t>(random->Below(3) * 20);
  habits.direct_percent = static_cast<uint32_t>(random->Below(3) * 50);
  return habits;
}

// What the relay must have got of `mail`: nothing when every recipient is refused.
std::vector<ReceivedMail> Expected(const std::vector<OutgoingMail>& mail) {
  std::vector<ReceivedMail> expected;
  for (const OutgoingMail& m : mail) {
    ReceivedMail r{m.reverse_path, {}, m.prefix + m.body};
    for (const std::string& recipient : m.recipients) {
      if (!recipient.starts_with("refused")) r.recipients.push_back(recipient);
    }
    if (!r.recipients.empty()) expected.push_back(std::move(r));
  }
  return expected;
}

// What was said is kept while it may be wanted: from the greeting to the end of the first message,
// then while a message is in hand. An idle session keeps nothing.
TEST(ConnectionTest, AnIdleSessionKeepsNoDialogue) {
  io::SimOptions options;
  options.seed = 1;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@example.org", {"one@example.com"}, "", "one\r\n.\r\n"},
                                     {"b@example.org", {"two@example.com"}, "", "two\r\n.\r\n"}});
  source->quit_when_done = false;
  source->hold_windows = true;
  source->mail_max = 1;
  pair.Start();
  const auto waits = [&] { return source->connection.session().waiting_for() == Stage::kBody; };
  const auto run = [&](auto until) {
    ASSERT_EQ(pair.world.RunUntil(until, core::kNsPerSecond), io::SimWorld::RunResult::kCondition);
  };
  run(waits);
  EXPECT_TRUE(source->connection.talk().Text().starts_with("S: 220 "));
  EXPECT_EQ(pair.client.rings.out(), 1u);
  source->hold_windows = false;
  source->connection.OfferWindow();
  run([&] { return source->connection.idle() && source->done.size() == 1; });
  EXPECT_EQ(source->connection.talk().Text(), "");
  EXPECT_EQ(pair.client.rings.out(), 0u);
  // The next one: its own dialogue.
  source->hold_windows = true;
  source->mail_max = 2;
  source->connection.Poke();
  run(waits);
  EXPECT_TRUE(source->connection.talk().Text().starts_with("C: MAIL FROM:<b@example.org>"));
  source->hold_windows = false;
  source->connection.OfferWindow();
  run([&] { return source->done.size() == 2; });
  source->connection.Quit();
  pair.Run();
  EXPECT_EQ(pair.reception.mail.size(), 2u);
  pair.sources.clear();
  EXPECT_EQ(pair.client.rings.out(), 0u);
}

TEST(ConnectionTest, MailArrivesIntactHoweverTheNetworkCutsIt) {
  int direct_pieces = 0;
  int by_bdat = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::Random random(seed);
    const io::SimOptions options = Network(&random, seed);
    Pair pair(options, RandomHabits(&random));
    const std::vector<OutgoingMail> mail = SomeMail(&random, "one");
    TestSource* source = pair.Connect(mail, static_cast<uint32_t>(random.Below(3) * 30));
    source->context.session.pipelining = random.Chance(3, 4);
    source->context.session.chunking = random.Chance(3, 4);
    pair.reception.context.session.offers_chunking = random.Chance(3, 4);
    if (random.Chance(1, 4)) source->window_max = 30;
    by_bdat += source->context.session.chunking && pair.reception.context.session.offers_chunking;
    pair.Start();
    pair.Run();
    EXPECT_EQ(source->end, SessionEnd::kQuit) << source->text;
    const std::vector<ReceivedMail> expected = Expected(mail);
    ASSERT_EQ(pair.reception.mail.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(pair.reception.mail[i].reverse_path, expected[i].reverse_path);
      EXPECT_EQ(pair.reception.mail[i].recipients, expected[i].recipients);
      ASSERT_EQ(pair.reception.mail[i].body, expected[i].body) << "message " << i;
    }
    ASSERT_EQ(source->done.size(), mail.size());
    for (size_t m = 0; m < mail.size(); ++m) {
      for (size_t r = 0; r < mail[m].recipients.size(); ++r) {
        const bool refused = mail[m].recipients[r].starts_with("refused");
        EXPECT_EQ(source->told[m][r].kind, ResultKind::kReply);
        EXPECT_EQ(source->told[m][r].code, refused ? 550 : 250);
      }
    }
    direct_pieces += pair.reception.direct_pieces;
  }
  EXPECT_GT(direct_pieces, 0);
  EXPECT_GT(by_bdat, 10);
}

// More pieces than one send takes.
TEST(ConnectionTest, ABodyFullOfDotsGoesByBdat) {
  for (const size_t lines : {900, 1100, 60'000}) {
    OutgoingMail mail{"a@b.c", {"user@example.com"}, "Subject: dots\r\n", "\r\n"};
    for (size_t i = 0; i < lines; ++i) mail.body += i % 3 == 0 ? "..\r\n" : "..x\r\n";
    mail.body += ".\r\n";
    mail.stuffed_dots = lines;
    mail.size = mail.prefix.size() + NaiveUnstuffed(mail.body).size();
    io::SimOptions options;
    Pair pair(options, {});
    TestSource* source = pair.Connect({mail, mail});
    source->window_max = 200'000;
    source->context.session.chunking = true;
    pair.reception.context.session.offers_chunking = true;
    pair.Start();
    pair.Run();
    ASSERT_EQ(pair.reception.mail.size(), 2u);
    EXPECT_EQ(pair.reception.mail[0].body, mail.prefix + mail.body);
    EXPECT_EQ(pair.reception.mail[1].body, mail.prefix + mail.body);
  }
}

// The record of a message says one thing, and its body is another: it must not arrive in part.
TEST(ConnectionTest, ABodyOfAnotherSizeIsNotCompleted) {
  for (const uint64_t size : {10, 100, 1000}) {
    OutgoingMail mail{"a@b.c", {"user@example.com"}, "", std::string(50, 'x') + "\r\n.\r\n"};
    mail.size = size;
    io::SimOptions options;
    Pair pair(options, {});
    TestSource* source = pair.Connect({mail});
    source->context.session.chunking = true;
    pair.reception.context.session.offers_chunking = true;
    pair.Start();
    pair.Run();
    EXPECT_TRUE(pair.reception.mail.empty());
    EXPECT_EQ(source->told[0][0].kind, ResultKind::kLost);
    EXPECT_EQ(source->end, SessionEnd::kSourceFailed);
  }
}

TEST(ConnectionTest, WhateverBreaksEverybodyIsToldOnce) {
  int lost = 0;
  int delivered = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::Random random(seed);
    io::SimOptions options = Network(&random, seed);
    options.network.reset_ppm = 10'000;
    options.network.silent_ppm = 10'000;
    options.network.stall_ppm = 5'000;
    options.network.connect_refused_ppm = 50'000;
    options.network.connect_lost_ppm = 50'000;
    Pair pair(options, RandomHabits(&random));
    for (const char* name : {"one", "two", "three"}) {
      pair.Connect(SomeMail(&random, name), 20)->context.session.chunking = random.Chance(1, 2);
    }
    pair.reception.context.session.offers_chunking = random.Chance(3, 4);
    pair.Start();
    pair.Run();
    size_t claimed = 0;
    for (const auto& source : pair.sources) {
      for (size_t m = 0; m < source->told.size(); ++m) {
        bool message_delivered = false;
        for (const TestSource::Told& told : source->told[m]) {
          EXPECT_LE(told.times, 1);
          message_delivered |=
              told.times == 1 && told.kind == ResultKind::kReply && told.code == 250;
          lost += told.times == 1 && told.kind == ResultKind::kLost;
        }
        claimed += message_delivered;
      }
    }
    // What was called delivered is there; more may be, whose reply was lost.
    EXPECT_LE(claimed, pair.reception.mail.size());
    delivered += static_cast<int>(claimed);
  }
  EXPECT_GT(lost, 0);
  EXPECT_GT(delivered, 0);
}

TEST(ConnectionTest, ASilentHostIsGivenUpWhenItsTimeIsOver) {
  io::SimOptions options;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  source->context.timeouts.greeting_ns = 3 * core::kNsPerSecond;
  pair.reception.context.banner_delay_ns = 10 * core::kNsPerSecond;
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kTimeout);
  EXPECT_EQ(source->stage, Stage::kGreeting);
  EXPECT_EQ(source->text, "timed out waiting for the reply to greeting");
  EXPECT_TRUE(source->done.empty());  // nothing was begun
}

TEST(ConnectionTest, NobodyListensThere) {
  io::SimOptions options;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  source->connection.Start({core::IpAddress::V4(192, 0, 2, 9), 25}, nullptr);
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kConnectFailed);
  EXPECT_EQ(source->stage, Stage::kConnect);
  EXPECT_FALSE(source->text.empty());
}

// What this machine lacks is not the server's fault.
TEST(ConnectionTest, ShortagesOfOurOwnAreNamed) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, ECONNREFUSED}) {
    io::SimOptions options;
    options.network.connect_error_ppm = 1'000'000;
    options.network.connect_error = error;
    Pair pair(options, {});
    TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
    pair.Start();
    pair.Run();
    const SessionEnd wanted = error == EADDRNOTAVAIL  ? SessionEnd::kNoPort
                              : error == ECONNREFUSED ? SessionEnd::kConnectFailed
                                                      : SessionEnd::kShortage;
    EXPECT_EQ(source->end, wanted) << error;
    EXPECT_EQ(source->stage, Stage::kConnect);
    EXPECT_FALSE(source->text.empty());
  }
}

TEST(ConnectionTest, FromAnAddressThatIsNotThereOrOfTheOtherFamily) {
  const core::IpAddress gone = core::IpAddress::V4(10, 9, 0, 1);
  const core::IpAddress six = core::IpAddress::Parse("2001:db8::9").value();
  for (const core::IpAddress& from : {gone, six, core::IpAddress::V4(10, 9, 0, 2)}) {
    Pair pair({}, {});
    pair.world.network().LoseAddress(gone);
    TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
    const core::SocketAddress local = {from, 0};
    source->connection.SayHelo("other.example.com");
    source->connection.Start(kRelay, &local);
    pair.Run();
    const bool there = from != gone && from != six;
    EXPECT_EQ(source->end, there ? SessionEnd::kQuit : SessionEnd::kNoAddress) << from.ToString();
  }
}

// EADDRNOTAVAIL, and a datagram socket does not get there either: no address of ours goes with the
// server's. Another host may be reached; waiting does not help.
TEST(ConnectionTest, NoAddressOfOursIsNoShortage) {
  io::SimOptions options;
  options.network.connect_error_ppm = 1'000'000;
  options.network.connect_error = EADDRNOTAVAIL;
  options.network.udp_open_error_ppm = 1'000'000;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kConnectFailed);
}

TEST(ConnectionTest, AClientCanBeRefusedAndReadsWhy) {
  io::SimOptions options;
  TestReception::Habits habits;
  habits.refuse_clients = true;
  Pair pair(options, habits);
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kRefused);
  EXPECT_EQ(source->code, 421);
  EXPECT_EQ(source->text, "Too many connections");
}

TEST(ConnectionTest, AnIdleClientQuitsAndAPokeComesBefore) {
  io::SimOptions options;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  source->quit_when_done = false;
  pair.Start();
  const int64_t start = pair.world.now_ns();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kQuit);
  EXPECT_EQ(pair.reception.mail.size(), 1u);
  EXPECT_GE(pair.world.now_ns() - start, source->context.timeouts.idle_ns);
}

TEST(ConnectionTest, AbandonInTheMiddleLosesWhatWasInHand) {
  for (int64_t after_us = 0; after_us < 60'000; after_us += 997) {
    io::SimOptions options;
    options.seed = static_cast<uint64_t>(after_us + 1);
    Pair pair(options, {});
    core::Random random(7);
    TestSource* source =
        pair.Connect({{"a@b.c", {"user@example.com"}, "", Body(&random, 400'000)}});
    pair.Start();
    pair.world.RunFor(after_us * core::kNsPerUs);
    source->connection.Abandon(SessionEnd::kCancelled);
    pair.Run();
    if (source->done.empty()) continue;
    EXPECT_EQ(source->told[0][0].times, 1);
  }
}

TEST(ConnectionTest, ABodyThatCannotBeReadGivesTheSessionUp) {
  io::SimOptions options;
  Pair pair(options, {});
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", ".\r\n"}});
  source->fail_windows = true;
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kSourceFailed);
  EXPECT_EQ(source->told[0][0].kind, ResultKind::kLost);
  EXPECT_TRUE(pair.reception.mail.empty());
}

TEST(ConnectionTest, StorageThatFailsRefusesAtTheEnd) {
  io::SimOptions options;
  TestReception::Habits habits;
  habits.fail_storage = true;
  Pair pair(options, habits);
  core::Random random(3);
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", Body(&random, 200'000)},
                                     {"a@b.c", {"user@example.com"}, "", Body(&random, 1000)}});
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->told[0][0].code, 452);
  EXPECT_EQ(source->told[1][0].code, 250);
  EXPECT_EQ(pair.reception.mail.size(), 1u);
}

TEST(ConnectionTest, AStoppingServerAnswersWhatItHasAndSays421) {
  io::SimOptions options;
  Pair pair(options, {});
  core::Random random(3);
  TestSource* source = pair.Connect({{"a@b.c", {"user@example.com"}, "", Body(&random, 300'000)},
                                     {"a@b.c", {"user@example.com"}, "", Body(&random, 1000)}});
  pair.Start();
  pair.world.RunUntil(
      [&] {
        return !pair.sources[0]->connection.session().ready()
                   ? false
                   : pair.sources[0]->connection.session().waiting_for() == Stage::kBody;
      },
      core::kNsPerMinute);
  pair.reception.Shutdown();
  pair.Run();
  EXPECT_EQ(source->told[0][0].code, 250);
  EXPECT_EQ(pair.reception.mail.size(), 1u);
  EXPECT_EQ(source->end, SessionEnd::kShutdown);
}

// It stops in the middle of a message.
TEST(ConnectionTest, AClientThatStallsIsSent421) {
  Pair pair({}, {});
  pair.reception.context.command_timeout_ns = 31 * core::kNsPerSecond;
  pair.reception.context.data_timeout_ns = 17 * core::kNsPerSecond;
  TestSource* source = pair.Connect({{"a@b.c", {"d@e.f"}, "Subject: x\r\n\r\n", "y\r\n"}});
  source->hold_windows = true;
  source->context.timeouts.block_ns = core::kNsPerHour;
  const int64_t begin_ns = pair.world.now_ns();
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kShutdown);
  EXPECT_EQ(source->code, 421);
  EXPECT_GE(pair.world.now_ns() - begin_ns, 17 * core::kNsPerSecond);
  EXPECT_LE(pair.world.now_ns() - begin_ns, 25 * core::kNsPerSecond);
  EXPECT_EQ(pair.reception.timed_out, 1);
  EXPECT_TRUE(pair.reception.mail.empty());
}

TEST(ConnectionTest, ASilentClientIsSent421) {
  io::SimOptions options;
  Pair pair(options, {});
  pair.reception.context.command_timeout_ns = 31 * core::kNsPerSecond;
  pair.reception.context.data_timeout_ns = 17 * core::kNsPerSecond;
  TestSource* source = pair.Connect({});
  source->quit_when_done = false;
  source->context.timeouts.idle_ns = core::kNsPerHour;
  const int64_t begin_ns = pair.world.now_ns();
  pair.Start();
  pair.Run();
  EXPECT_EQ(source->end, SessionEnd::kShutdown);
  EXPECT_EQ(source->code, 421);
  EXPECT_EQ(source->stage, Stage::kIdle);
  EXPECT_GE(pair.world.now_ns() - begin_ns, 31 * core::kNsPerSecond);
  EXPECT_LE(pair.world.now_ns() - begin_ns, 40 * core::kNsPerSecond);
  EXPECT_EQ(pair.reception.timed_out, 1);
  EXPECT_EQ(pair.reception.disowned, 0);
}

}  // namespace
}  // namespace outbox::smtp
