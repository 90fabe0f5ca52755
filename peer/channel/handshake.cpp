#include "peer/channel/handshake.hpp"

namespace ppsp::peer {
namespace {

constexpr std::uint8_t protocol_version = 1;

/// Everything but content and its proofs.
wire::SupportedMessages messages_of_a_source()
{
    wire::SupportedMessages supported;
    for (auto const type :
         {wire::MessageType::handshake, wire::MessageType::ack, wire::MessageType::have,
          wire::MessageType::pex_res_v4, wire::MessageType::pex_req, wire::MessageType::request,
          wire::MessageType::cancel, wire::MessageType::choke, wire::MessageType::unchoke,
          wire::MessageType::pex_res_v6, wire::MessageType::pex_res_cert}) {
        supported.set(static_cast<std::size_t>(type));
    }
    return supported;
}

wire::SupportedMessages all_messages()
{
    return wire::SupportedMessages{}.set();
}

bool versions_overlap(wire::Options const& options)
{
    return options.version && *options.version >= protocol_version &&
           options.minimum_version.value_or(protocol_version) <= protocol_version;
}

} // namespace

wire::Options handshake_options(SwarmMetadata const& swarm, bool initiator, Dialect dialect)
{
    wire::Options options;
    options.version = protocol_version;
    if (initiator) {
        options.minimum_version = protocol_version;
        options.swarm_id = swarm.id;
    }
    options.integrity_method = swarm.integrity_method;
    options.hash_function = swarm.hash_function;
    options.addressing = swarm.format.addressing;
    if (swarm.is_live()) {
        options.signature_algorithm = swarm.algorithm;
        options.discard_window = swarm.discard_window_chunks;
    }
    if (dialect == Dialect::draft) {
        return options;
    }
    if (!swarm.accepts_content) {
        options.supported_messages = messages_of_a_source();
    }
    options.chunk_size = swarm.format.chunk_size;
    return options;
}

std::optional<PeerProfile> check_handshake(SwarmMetadata const& swarm, wire::Options const& options,
                                           bool initiator)
{
    bool const id_matches = options.swarm_id ? *options.swarm_id == swarm.id : !initiator;
    bool const is_complete = !initiator || !swarm.strict || options.minimum_version.has_value();
    bool const is_draft = !swarm.is_live() && !options.chunk_size;
    // Option 4 is missing with method 3 at some peers (trap T9); then SHA-256 is meant.
    bool const hash_agrees =
        options.hash_function.value_or(wire::HashFunction::sha256) == swarm.hash_function;
    bool const live_agrees = !swarm.is_live() || (options.signature_algorithm == swarm.algorithm &&
                                                  options.discard_window.has_value());
    bool const size_agrees =
        is_draft ? !swarm.strict : options.chunk_size == swarm.format.chunk_size;
    bool const agrees = versions_overlap(options) && id_matches && is_complete &&
                        options.integrity_method == swarm.integrity_method && hash_agrees &&
                        live_agrees && options.addressing == swarm.format.addressing && size_agrees;
    if (!agrees) {
        return std::nullopt;
    }
    return PeerProfile{.discard_window_chunks =
                           options.discard_window.value_or(wire::discard_window_all),
                       .supported = options.supported_messages.value_or(all_messages()),
                       .dialect = is_draft ? Dialect::draft : Dialect::rfc};
}

wire::Handshake closing_handshake()
{
    return wire::Handshake{ChannelId{0}, wire::Options{}};
}

} // namespace ppsp::peer
