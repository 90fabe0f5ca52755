#include "protocol/ppstp/fields.hpp"

#include <boost/json/monotonic_resource.hpp>

namespace ppsp::ppstp {
namespace {

PeerInfo read_peer_info(Fields const& fields)
{
    Fields const address(fields.object("peer_addr"), fields.complaint());
    return {fields.text("peer_id", id_size_max), read_address(address),
            fields.number_or<std::uint32_t>("proven_kbps", 0)};
}

ProvenUplink read_proven(Fields const& fields)
{
    return {read_endpoint(fields, "endpoint"), fields.number<std::uint32_t>("kbps")};
}

LiveEdge read_live(Fields const& fields)
{
    LiveEdge live;
    live.newest = ChunkId{fields.number<std::uint64_t>("newest")};
    live.chunks_per_unit = fields.number<std::uint32_t>("chunks_per_unit");
    if (auto const chunk = fields.number_if<std::uint64_t>("random_access")) {
        live.random_access = ChunkId{*chunk};
    }
    live.age_ms = fields.number_or<std::uint32_t>("age_ms", 0);
    return live;
}

ByteVector read_hex(Fields const& fields, std::string_view name)
{
    auto bytes = from_hex(fields.text(name));
    if (!bytes) {
        fields.complaint().say(name, "is not hex");
    }
    return bytes.value_or(ByteVector{});
}

MembershipGrant read_membership(Fields const& fields)
{
    return {read_hex(fields, "issuer"), read_hex(fields, "certificate"),
            fields.number<std::uint32_t>("valid_s")};
}

SwarmResult read_swarm_result(Fields const& fields)
{
    SwarmResult result;
    result.swarm_id = fields.text("swarm_id");
    result.result = fields.number<std::uint8_t>("result");
    if (result.result > 1) {
        fields.complaint().say("result", "is neither 0 nor 1");
    }
    if (auto const* group = fields.object_if("peer_group")) {
        result.has_peer_group = true;
        if (auto const* list = group->if_contains("peer_info")) {
            read_list(*list, "peer_info", peer_infos_max, fields.complaint(), result.peers,
                      read_peer_info);
        }
    }
    if (auto const* live = fields.object_if("live")) {
        result.live = read_live(Fields(*live, fields.complaint()));
    }
    if (auto const* grant = fields.object_if("membership")) {
        result.membership = read_membership(Fields(*grant, fields.complaint()));
    }
    if (auto const* list = fields.find("proven")) {
        read_list(*list, "proven", proven_max, fields.complaint(), result.proven, read_proven);
    }
    return result;
}

ErrorCode read_error(Fields const& fields)
{
    auto const code = fields.number<std::uint8_t>("error_code");
    auto const type = fields.number<std::uint8_t>("response_type");
    if (code > static_cast<std::uint8_t>(ErrorCode::authentication_required)) {
        fields.complaint().say("error_code", "is unknown");
    }
    if ((type == 0) != (code == 0) || type > 1) {
        fields.complaint().say("response_type", "does not fit error_code"); // RFC 7846 §3.3.4
    }
    return ErrorCode{code};
}

Response read_response(Fields const& fields)
{
    Response response;
    response.error = read_error(fields);
    if (auto const* address = fields.object_if("peer_addr")) {
        response.peer_address = read_address(Fields(*address, fields.complaint()));
    }
    if (auto const* list = fields.find("swarm_result")) {
        read_list(*list, "swarm_result", swarm_actions_max, fields.complaint(),
                  response.swarm_results, read_swarm_result);
    }
    response.reason = fields.text_if("reason").value_or(std::string{});
    return response;
}

} // namespace

Result<Response, ParseFailure> parse_response(std::string_view text)
{
    json::monotonic_resource memory;
    auto const document = parse_document(text, response_size_max, &memory);
    if (!document) {
        return failure(document.error());
    }
    auto const root = find_root(*document, "Response");
    if (!root) {
        return failure(root.error());
    }
    Complaint complaint;
    auto response = read_response(Fields(*root->object, complaint));
    // May be empty: the tracker could not read the request's (trap P9).
    response.transaction_id = root->transaction_id;
    if (!complaint.ok()) {
        return failure(
            ParseFailure{ErrorCode::bad_request, root->transaction_id, complaint.reason()});
    }
    return response;
}

} // namespace ppsp::ppstp
