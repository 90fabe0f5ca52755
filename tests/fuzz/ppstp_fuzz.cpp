#include "peer/shell/candidates.hpp"
#include "peer/shell/tracker_answer.hpp"
#include "protocol/base/assert.hpp"
#include "tests/fuzz/input.hpp"

/// The first byte decides: a request as a tracker reads it, or a response as a peer does. Either is
/// the same after it was written and read again.
namespace ppsp::fuzz {
namespace {

using namespace ppstp;

void read_request(std::string_view json)
{
    auto const request = parse_request(json);
    if (!request) {
        PPSP_ASSERT(request.error().code != ErrorCode::none);
        PPSP_ASSERT(request.error().transaction_id.size() <= id_size_max);
        return;
    }
    PPSP_ASSERT(request->transaction_id.size() <= id_size_max);
    auto const again = parse_request(to_json(*request));
    PPSP_ASSERT(again && *again == *request);
}

/// What a peer makes of an answer.
void use(SwarmResult const& result)
{
    peer::SwarmId const swarm(65, 0x11);
    PPSP_ASSERT(result.peers.size() <= peer_infos_max && result.proven.size() <= proven_max);
    PPSP_ASSERT(peer::uplinks_of(swarm, result).peers.size() <= peer_infos_max + proven_max);
    if (result.live) {
        PPSP_ASSERT(peer::edge_of(swarm, *result.live).age >= Duration::zero());
    }
    peer::Candidates candidates("ourselves", [](Endpoint const& e) { return e.is_v4(); });
    auto const own = Endpoint::v4(0xc0000201, 6778);
    PPSP_ASSERT(candidates.choose(result.peers, {own}).size() <= result.peers.size());
}

void read_response(std::string_view json)
{
    auto const response = parse_response(json);
    if (!response) {
        return;
    }
    for (SwarmResult const& result : response->swarm_results) {
        use(result);
    }
    auto const again = parse_response(to_json(*response));
    PPSP_ASSERT(again && *again == *response);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    Input input(data, size);
    bool const is_request = input.flag();
    auto const json = text_of(input.rest());
    is_request ? read_request(json) : read_response(json);
    return 0;
}

} // namespace ppsp::fuzz
