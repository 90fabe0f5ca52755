#include "protocol/ppstp/fields.hpp"

#include <boost/json/monotonic_resource.hpp>

#include <array>

namespace ppsp::ppstp {
namespace {

PeerNumber read_peer_number(Fields const& fields)
{
    PeerNumber number;
    number.peer_count = fields.number<std::uint32_t>("peer_count");
    number.ability_nat = fields.word_if("ability_nat", names::nat_abilities);
    number.concurrent_links = fields.number_if<std::uint32_t>("concurrent_links");
    number.online_time_s = fields.number_if<std::uint64_t>("online_time");
    number.upload_bandwidth_kbps = fields.number_if<std::uint64_t>("upload_bandwidth");
    return number;
}

std::optional<PeerNumber> read_peer_number_if(Fields const& fields)
{
    auto const* object = fields.object_if("peer_num");
    if (object == nullptr) {
        return std::nullopt;
    }
    return read_peer_number(Fields(*object, fields.complaint()));
}

SwarmAction read_action(Fields const& fields)
{
    return {fields.text("swarm_id"), fields.word("action", names::actions),
            fields.word("peer_mode", names::peer_modes)};
}

Connect read_connect(Fields const& fields)
{
    auto& complaint = fields.complaint();
    Connect connect;
    connect.peer_num = read_peer_number_if(fields);
    if (auto const* list = fields.find("peer_addr")) {
        read_list(*list, "peer_addr", peer_addresses_max, complaint, connect.peer_addresses,
                  read_address);
    }
    if (auto const* list = fields.find("swarm_action")) {
        read_list(*list, "swarm_action", swarm_actions_max, complaint, connect.swarm_actions,
                  read_action);
    }
    if (connect.swarm_actions.empty()) {
        complaint.say("swarm_action", "is missing"); // RFC 7846 §3.3.3: <1..*>
    }
    return connect;
}

Find read_find(Fields const& fields)
{
    return {fields.text("swarm_id"), read_peer_number_if(fields)};
}

StreamStats read_stream_stats(Fields const& fields)
{
    StreamStats stats;
    stats.swarm_id = fields.text("swarm_id");
    stats.uploaded_bytes = fields.number_or<std::uint64_t>("uploaded_bytes", 0);
    stats.downloaded_bytes = fields.number_or<std::uint64_t>("downloaded_bytes", 0);
    stats.available_bandwidth_bps = fields.number_or<std::uint64_t>("available_bandwidth", 0);
    stats.concurrent_links = fields.number_or<std::uint32_t>("concurrent_links", 0);
    return stats;
}

std::optional<ContentMap::Hole> read_hole(json::value const& value)
{
    constexpr std::uint64_t units_max = std::numeric_limits<std::uint32_t>::max();
    auto const* pair = value.if_array();
    if (pair == nullptr || pair->size() != 2) {
        return std::nullopt;
    }
    auto const distance = to_integer((*pair)[0], units_max);
    auto const count = to_integer((*pair)[1], units_max);
    if (!distance || !count) {
        return std::nullopt;
    }
    return ContentMap::Hole{static_cast<std::uint32_t>(*distance),
                            static_cast<std::uint32_t>(*count)};
}

void read_holes(Fields const& fields, ContentMap& map)
{
    auto const* found = fields.find("holes");
    if (found == nullptr) {
        return;
    }
    auto const* list = found->if_array();
    if (list == nullptr || list->size() > ContentMap::holes_max) {
        fields.complaint().say("holes", "is no list or too long");
        return;
    }
    for (auto const& entry : *list) {
        if (auto const hole = read_hole(entry)) {
            map.holes.push_back(*hole);
        } else {
            fields.complaint().say("holes", "has an entry that is not [distance, count]");
        }
    }
}

ContentMap read_content_map(Fields const& fields)
{
    ContentMap map;
    map.swarm_id = fields.text("swarm_id");
    map.newest = ChunkId{fields.number<std::uint64_t>("newest")};
    map.chunks_per_unit = fields.number<std::uint32_t>("chunks_per_unit");
    map.window_units = fields.number<std::uint32_t>("window_units");
    read_holes(fields, map);
    if (auto const chunk = fields.number_if<std::uint64_t>("random_access")) {
        map.random_access = ChunkId{*chunk};
    }
    return map;
}

PeerStatus read_peer_status(Fields const& fields)
{
    PeerStatus status;
    status.swarm_id = fields.text("swarm_id");
    status.uplink_bps = fields.number_or<std::uint64_t>("uplink_bps", 0);
    status.free_slots = fields.number_or<std::uint32_t>("free_slots", 0);
    status.neighbours = fields.number_or<std::uint32_t>("neighbours", 0);
    status.buffer_ms = fields.number_or<std::uint32_t>("buffer_ms", 0);
    status.lag_ms = fields.number_or<std::uint32_t>("lag_ms", 0);
    status.late_chunks = fields.number_or<std::uint32_t>("late_chunks", 0);
    return status;
}

Receipt read_receipt(Fields const& fields)
{
    Receipt receipt;
    receipt.swarm_id = fields.text("swarm_id");
    receipt.sender = read_endpoint(fields, "sender");
    receipt.bytes = fields.number<std::uint64_t>("bytes");
    return receipt;
}

Neighbours read_neighbours(Fields const& fields)
{
    Neighbours neighbours;
    neighbours.swarm_id = fields.text("swarm_id");
    auto const* found = fields.find("endpoints");
    auto const* list = found == nullptr ? nullptr : found->if_array();
    if (list == nullptr || list->size() > Neighbours::endpoints_max) {
        fields.complaint().say("endpoints", "is no list or too long");
        return neighbours;
    }
    for (auto const& entry : *list) {
        if (auto const endpoint = to_endpoint(entry)) {
            neighbours.endpoints.push_back(*endpoint);
        } else {
            fields.complaint().say("endpoints", "has an entry that is not an address with a port");
        }
    }
    return neighbours;
}

/// Types that are not known here are somebody's extension and ignored (RFC 7846 §4.4).
void read_statistics(std::string_view type, json::value const& value, Complaint& complaint,
                     StatReport& report)
{
    if (type == names::stream_stats) {
        read_list(value, type, stats_max, complaint, report.stream_stats, read_stream_stats);
    } else if (type == names::content_map) {
        read_list(value, type, stats_max, complaint, report.content_maps, read_content_map);
    } else if (type == names::peer_status) {
        read_list(value, type, stats_max, complaint, report.peer_status, read_peer_status);
    } else if (type == names::receipts) {
        read_list(value, type, receipts_max, complaint, report.receipts, read_receipt);
    } else if (type == names::neighbours) {
        read_list(value, type, stats_max, complaint, report.neighbours, read_neighbours);
    }
}

void read_stat_group(Fields const& fields, StatReport& report)
{
    auto const type = fields.text_if("type").value_or(std::string(names::stream_stats));
    auto const* statistics = fields.find("stat");
    if (statistics == nullptr) {
        statistics = fields.find("Stat"); // as the RFC's example spells it (trap P1)
    }
    if (statistics != nullptr) {
        read_statistics(type, *statistics, fields.complaint(), report);
    }
    for (auto const name :
         {names::content_map, names::peer_status, names::receipts, names::neighbours}) {
        if (auto const* member = fields.find(name)) {
            read_statistics(name, *member, fields.complaint(), report);
        }
    }
}

StatReport read_stat_report(Fields const& fields)
{
    StatReport report;
    auto const* found = fields.find("stat_report");
    if (found == nullptr) {
        return report;
    }
    constexpr std::size_t groups_max = 8;
    struct Group {};
    std::vector<Group> groups;
    read_list(*found, "stat_report", groups_max, fields.complaint(), groups,
              [&report](Fields const& group) {
                  read_stat_group(group, report);
                  return Group{};
              });
    return report;
}

Request read_request(Fields const& fields)
{
    Request request;
    request.transaction_id = fields.text("transaction_id", id_size_max);
    request.peer_id = fields.text("peer_id", id_size_max);
    auto const type = fields.text("request_type");
    if (type == "CONNECT") {
        request.body = read_connect(Fields(fields.object("connect"), fields.complaint()));
    } else if (type == "FIND") {
        auto const* wrapped = fields.object_if("find"); // the RFC's example has none (trap P1)
        request.body =
            wrapped ? read_find(Fields(*wrapped, fields.complaint())) : read_find(fields);
    } else if (type == "STAT_REPORT") {
        request.body = read_stat_report(fields);
    } else {
        fields.complaint().say("request_type", "is unknown");
    }
    return request;
}

} // namespace

Result<Request, ParseFailure> parse_request(std::string_view text)
{
    std::array<unsigned char, 8192> buffer;
    json::monotonic_resource memory(buffer.data(), buffer.size());
    auto const document = parse_document(text, body_size_max, &memory);
    if (!document) {
        return failure(document.error());
    }
    auto const root = find_root(*document, "Request");
    if (!root) {
        return failure(root.error());
    }
    Complaint complaint;
    auto request = read_request(Fields(*root->object, complaint));
    if (!complaint.ok()) {
        return failure(
            ParseFailure{ErrorCode::bad_request, root->transaction_id, complaint.reason()});
    }
    return request;
}

} // namespace ppsp::ppstp
