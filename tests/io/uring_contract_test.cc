// The contract of io/io.h on the real kernel: with everything that it has, with each feature
// masked, and with all of them masked.
#include "tests/io/io_contract.h"
#include "tests/io/uring_environment.h"

namespace outbox::io {
namespace {

// Receives that stand find no buffer most of the time.
IoEnvironmentKind FewStandingBuffers() {
  UringOptions options;
  options.standing_buffer_count = 2;
  options.standing_buffer_bytes = 100;
  return {"FewStandingBuffers", [options] { return UringEnvironment::Make(options); }};
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    Uring, IoTest,
    testing::Values(UringEnvironment::Kind("AllFeatures", {}),
                    UringEnvironment::Kind("NoDeferTaskrun", {"defer_taskrun"}),
                    UringEnvironment::Kind("NoSingleIssuer", {"single_issuer"}),
                    UringEnvironment::Kind("NoMultishotAccept", {"multishot_accept"}),
                    UringEnvironment::Kind("NoMultishotReceive", {"multishot_receive"}),
                    UringEnvironment::Kind("NoBufferRing", {"provided_buffer_ring"}),
                    FewStandingBuffers(), UringEnvironment::Kind("NoPollFirst", {"poll_first"}),
                    UringEnvironment::Kind("NoMsgRing", {"msg_ring"}),
                    UringEnvironment::Kind("Nothing",
                                           {"defer_taskrun", "single_issuer", "multishot_accept",
                                            "provided_buffer_ring", "poll_first", "msg_ring"})),
    IoEnvironmentName);

INSTANTIATE_TEST_SUITE_P(
    UringDatagrams, DatagramTest,
    testing::Values(UringEnvironment::Kind("AllFeatures", {}),
                    UringEnvironment::Kind("NoPollFirst", {"poll_first"}),
                    UringEnvironment::Kind("Nothing",
                                           {"defer_taskrun", "single_issuer", "multishot_accept",
                                            "provided_buffer_ring", "poll_first", "msg_ring"})),
    IoEnvironmentName);

}  // namespace outbox::io
