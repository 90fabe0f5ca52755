#include "peer/shell/channel_file.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/net/http.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/signing.hpp"

/// What users paste and programs download: the first byte decides between a link, a channel file
/// and single addresses.
namespace ppsp::fuzz {
namespace {

using namespace peer;

void read_link(std::string_view text)
{
    auto const link = parse_link(text);
    if (!link) {
        PPSP_ASSERT(!sentence(link.error()).empty());
        return;
    }
    PPSP_ASSERT(is_live_id(link->swarm) || is_recording_id(link->swarm));
    PPSP_ASSERT(link->peers.size() <= link_members_max && link->caches.size() <= link_members_max &&
                link->cdn.size() <= link_members_max);
    std::string const written = format_link(*link);
    auto const again = parse_link(written);
    PPSP_ASSERT(again ? *again == *link : written.size() > link_size_max);
}

void read_file(std::string_view text)
{
    Gullible checker;
    auto const file = parse_channel_file(text, checker);
    if (!file) {
        PPSP_ASSERT(!sentence(file.error()).empty());
        return;
    }
    FixedSigner signer(file->link.swarm);
    std::string const written = to_json(*file, signer);
    auto const again = parse_channel_file(written, checker);
    PPSP_ASSERT(again ? *again == *file : written.size() > channel_file_size_max);
    static_cast<void>(format_link(file->link));
}

void read_addresses(std::string_view text)
{
    if (auto const tracker = parse_tracker_url(text)) {
        PPSP_ASSERT(parse_tracker_url(tracker->url()) == tracker);
    }
    if (auto const at = parse_host_port(text)) {
        PPSP_ASSERT(parse_host_port(at->text()) == at);
    }
    if (auto const endpoint = parse_listen_address(text)) {
        PPSP_ASSERT(Endpoint::parse(endpoint->text()) == endpoint);
    }
    if (auto const url = net::parse_url(text)) {
        PPSP_ASSERT(is_web_url(text) || text.size() > link_size_max);
        PPSP_ASSERT(!url->host.empty() && url->port != 0 && url->target.starts_with('/'));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    constexpr void (*readers[])(std::string_view) = {read_link, read_file, read_addresses};
    Input input(data, size);
    auto* const read = input.one_of(readers);
    read(text_of(input.rest()));
    return 0;
}

} // namespace ppsp::fuzz
