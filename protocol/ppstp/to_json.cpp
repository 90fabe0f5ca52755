#include "protocol/ppstp/json_writer.hpp"
#include "protocol/ppstp/messages.hpp"
#include "protocol/ppstp/names.hpp"

#include <type_traits>

/// Writes the schema form of RFC 7846 §3 (decision D11).
namespace ppsp::ppstp {
namespace {

void write_optional(JsonWriter& out, std::string_view name, std::optional<std::string> const& value)
{
    if (value) {
        out.member(name, *value);
    }
}

template <typename Number>
    requires std::is_integral_v<Number>
void write_optional(JsonWriter& out, std::string_view name, std::optional<Number> value)
{
    if (value) {
        out.member(name, std::uint64_t{*value});
    }
}

void write_optional(JsonWriter& out, std::string_view name, std::optional<ChunkId> value)
{
    if (value) {
        out.member(name, to_number(*value));
    }
}

void write(JsonWriter& out, PeerAddress const& address)
{
    out.begin_object().key("ip_address").begin_object();
    out.member("address_type", address.endpoint.is_v4() ? "ipv4" : "ipv6");
    out.member("address", address.endpoint.address_text()).end_object();
    out.member("port", std::uint64_t{address.endpoint.port()});
    out.member("priority", std::uint64_t{address.priority});
    out.member("type", names::name_of(names::address_types, address.type));
    write_optional(out, "connection", address.connection);
    write_optional(out, "asn", address.asn);
    write_optional(out, "peer_protocol", address.peer_protocol);
    out.end_object();
}

void write(JsonWriter& out, PeerNumber const& number)
{
    out.key("peer_num").begin_object();
    out.member("peer_count", std::uint64_t{number.peer_count});
    if (number.ability_nat) {
        out.member("ability_nat", names::name_of(names::nat_abilities, *number.ability_nat));
    }
    write_optional(out, "concurrent_links", number.concurrent_links);
    write_optional(out, "online_time", number.online_time_s);
    write_optional(out, "upload_bandwidth", number.upload_bandwidth_kbps);
    out.end_object();
}

void write(JsonWriter& out, SwarmAction const& action)
{
    out.begin_object().member("swarm_id", action.swarm_id);
    out.member("action", names::name_of(names::actions, action.action));
    out.member("peer_mode", names::name_of(names::peer_modes, action.peer_mode)).end_object();
}

void write(JsonWriter& out, StreamStats const& stats)
{
    out.begin_object().member("swarm_id", stats.swarm_id);
    out.member("uploaded_bytes", stats.uploaded_bytes);
    out.member("downloaded_bytes", stats.downloaded_bytes);
    out.member("available_bandwidth", stats.available_bandwidth_bps);
    out.member("concurrent_links", std::uint64_t{stats.concurrent_links}).end_object();
}

void write(JsonWriter& out, ContentMap const& map)
{
    out.begin_object().member("swarm_id", map.swarm_id);
    out.member("newest", to_number(map.newest));
    out.member("chunks_per_unit", std::uint64_t{map.chunks_per_unit});
    out.member("window_units", std::uint64_t{map.window_units});
    out.key("holes").begin_array();
    for (auto const& hole : map.holes) {
        out.begin_array().number(hole.distance_units).number(hole.count_units).end_array();
    }
    out.end_array();
    write_optional(out, "random_access", map.random_access);
    out.end_object();
}

void write(JsonWriter& out, PeerStatus const& status)
{
    out.begin_object().member("swarm_id", status.swarm_id);
    out.member("uplink_bps", status.uplink_bps);
    out.member("free_slots", std::uint64_t{status.free_slots});
    out.member("neighbours", std::uint64_t{status.neighbours});
    out.member("buffer_ms", std::uint64_t{status.buffer_ms});
    out.member("lag_ms", std::uint64_t{status.lag_ms});
    out.member("late_chunks", std::uint64_t{status.late_chunks}).end_object();
}

void write(JsonWriter& out, Receipt const& receipt)
{
    out.begin_object().member("swarm_id", receipt.swarm_id);
    out.member("sender", receipt.sender.text());
    out.member("bytes", receipt.bytes).end_object();
}

void write(JsonWriter& out, Neighbours const& neighbours)
{
    out.begin_object().member("swarm_id", neighbours.swarm_id).key("endpoints").begin_array();
    for (auto const& endpoint : neighbours.endpoints) {
        out.text(endpoint.text());
    }
    out.end_array().end_object();
}

void write(JsonWriter& out, PeerInfo const& info)
{
    out.begin_object().member("peer_id", info.peer_id).key("peer_addr");
    write(out, info.address);
    if (info.proven_kbps > 0) {
        out.member("proven_kbps", std::uint64_t{info.proven_kbps});
    }
    out.end_object();
}

void write(JsonWriter& out, ProvenUplink const& uplink)
{
    out.begin_object().member("endpoint", uplink.endpoint.text());
    out.member("kbps", std::uint64_t{uplink.kbps}).end_object();
}

void write(JsonWriter& out, SwarmResult const& result);

template <typename Entry>
void write_array(JsonWriter& out, std::string_view name, std::vector<Entry> const& entries)
{
    out.key(name).begin_array();
    for (auto const& entry : entries) {
        write(out, entry);
    }
    out.end_array();
}

/// The first group stands in `type` and `stat`, as RFC 7846 §3.2.5 has it; groups of further
/// types follow as members named by their type, which other trackers ignore (§4.4).
class StatGroups {
public:
    explicit StatGroups(JsonWriter& out) : out_(out) {}

    template <typename Entry>
    void add(std::string_view type, std::vector<Entry> const& entries)
    {
        if (entries.empty()) {
            return;
        }
        if (is_first_) {
            out_.member("type", type);
        }
        write_array(out_, is_first_ ? "stat" : type, entries);
        is_first_ = false;
    }

private:
    JsonWriter& out_;
    bool is_first_ = true;
};

void write_body(JsonWriter& out, Connect const& connect)
{
    out.key("connect").begin_object();
    if (connect.peer_num) {
        write(out, *connect.peer_num);
    }
    if (!connect.peer_addresses.empty()) {
        write_array(out, "peer_addr", connect.peer_addresses);
    }
    write_array(out, "swarm_action", connect.swarm_actions);
    out.end_object();
}

void write_body(JsonWriter& out, Find const& find)
{
    out.key("find").begin_object().member("swarm_id", find.swarm_id);
    if (find.peer_num) {
        write(out, *find.peer_num);
    }
    out.end_object();
}

void write_body(JsonWriter& out, StatReport const& report)
{
    if (report == StatReport{}) {
        return; // a keep-alive carries no statistics group (RFC 7846 §4.1.3)
    }
    out.key("stat_report").begin_object();
    StatGroups groups(out);
    groups.add(names::stream_stats, report.stream_stats);
    groups.add(names::content_map, report.content_maps);
    groups.add(names::peer_status, report.peer_status);
    groups.add(names::receipts, report.receipts);
    groups.add(names::neighbours, report.neighbours);
    out.end_object();
}

std::string_view request_type(Request const& request)
{
    constexpr std::array<std::string_view, 3> types{"CONNECT", "FIND", "STAT_REPORT"};
    return types[request.body.index()];
}

void write(JsonWriter& out, MembershipGrant const& grant)
{
    out.key("membership").begin_object().member("issuer", to_hex(grant.issuer));
    out.member("certificate", to_hex(grant.certificate));
    out.member("valid_s", std::uint64_t{grant.valid_s}).end_object();
}

void write(JsonWriter& out, LiveEdge const& live)
{
    out.key("live").begin_object().member("newest", to_number(live.newest));
    out.member("chunks_per_unit", std::uint64_t{live.chunks_per_unit});
    write_optional(out, "random_access", live.random_access);
    out.member("age_ms", std::uint64_t{live.age_ms}).end_object();
}

void write(JsonWriter& out, SwarmResult const& result)
{
    out.begin_object().member("swarm_id", result.swarm_id);
    out.member("result", std::uint64_t{result.result});
    if (result.has_peer_group || !result.peers.empty()) {
        out.key("peer_group").begin_object();
        write_array(out, "peer_info", result.peers);
        out.end_object();
    }
    if (result.live) {
        write(out, *result.live);
    }
    if (!result.proven.empty()) {
        write_array(out, "proven", result.proven);
    }
    if (result.membership) {
        write(out, *result.membership);
    }
    out.end_object();
}

} // namespace

std::string to_json(Request const& request)
{
    JsonWriter out;
    out.begin_object().key(names::root).begin_object().member("version", std::uint64_t{1});
    out.member("request_type", request_type(request));
    out.member("transaction_id", request.transaction_id).member("peer_id", request.peer_id);
    std::visit([&out](auto const& body) { write_body(out, body); }, request.body);
    out.end_object().end_object();
    return out.take();
}

std::string to_json(Response const& response)
{
    JsonWriter out;
    out.begin_object().key(names::root).begin_object().member("version", std::uint64_t{1});
    out.member("response_type", std::uint64_t{response.error != ErrorCode::none});
    out.member("error_code", static_cast<std::uint64_t>(response.error));
    out.member("transaction_id", response.transaction_id);
    if (response.peer_address) {
        out.key("peer_addr");
        write(out, *response.peer_address);
    }
    if (!response.swarm_results.empty()) {
        write_array(out, "swarm_result", response.swarm_results);
    }
    if (!response.reason.empty()) {
        out.member("reason", response.reason);
    }
    out.end_object().end_object();
    return out.take();
}

unsigned http_status(ErrorCode code)
{
    switch (code) {
    case ErrorCode::none:
        return 200;
    case ErrorCode::bad_request:
    case ErrorCode::unsupported_version:
        return 400;
    case ErrorCode::forbidden:
        return 403;
    case ErrorCode::internal:
        return 500;
    case ErrorCode::unavailable:
        return 503;
    case ErrorCode::authentication_required:
        return 401;
    }
    return 500;
}

} // namespace ppsp::ppstp
