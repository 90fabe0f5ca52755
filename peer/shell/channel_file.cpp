#include "peer/shell/channel_file.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <limits>

namespace ppsp::peer {
namespace {

namespace json = boost::json;

/// Sorted members at every level: one value has one text, whoever writes it.
json::value sorted(json::value const& value)
{
    if (auto const* array = value.if_array()) {
        json::array result;
        for (auto const& item : *array) {
            result.push_back(sorted(item));
        }
        return result;
    }
    auto const* object = value.if_object();
    if (object == nullptr) {
        return value;
    }
    std::vector<std::string> keys;
    for (auto const& member : *object) {
        keys.emplace_back(member.key());
    }
    std::sort(keys.begin(), keys.end());
    json::object result;
    for (auto const& key : keys) {
        result[key] = sorted(object->at(key));
    }
    return result;
}

/// Fractions have no single text (RFC 8785 §3.2.2.3 needs a page for it), so files have none.
bool has_only_integers(json::value const& value)
{
    if (auto const* array = value.if_array()) {
        return std::all_of(array->begin(), array->end(), has_only_integers);
    }
    if (auto const* object = value.if_object()) {
        return std::all_of(object->begin(), object->end(),
                           [](auto const& member) { return has_only_integers(member.value()); });
    }
    return !value.is_double();
}

std::string canonical_text(json::object const& file)
{
    json::object unsigned_part = file;
    unsigned_part.erase("signature");
    return json::serialize(sorted(unsigned_part));
}

json::array tracker_tiers(std::vector<TrackerTier> const& tiers)
{
    json::array result;
    for (TrackerTier const& tier : tiers) {
        json::array urls;
        for (TrackerAddress const& tracker : tier) {
            urls.emplace_back(tracker.url());
        }
        result.emplace_back(std::move(urls));
    }
    return result;
}

json::object to_object(ChannelFile const& file)
{
    json::array renditions;
    for (Rendition const& rendition : file.renditions) {
        renditions.emplace_back(json::object{{"name", rendition.name},
                                             {"swarm", to_hex(rendition.swarm)},
                                             {"video_kbps", rendition.video_kbps}});
    }
    return {{"title", file.title},
            {"swarm", to_hex(file.link.swarm)},
            {"trackers", tracker_tiers(file.link.trackers)},
            {"caches", json::array(file.link.caches.begin(), file.link.caches.end())},
            {"cdn", json::array(file.link.cdn.begin(), file.link.cdn.end())},
            {"chunk_size", file.chunk_size},
            {"chunks_per_signature", file.chunks_per_signature},
            {"renditions", std::move(renditions)},
            {"created", file.created}};
}

std::optional<std::string> text_member(json::object const& object, std::string_view key)
{
    auto const* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return std::string{value->get_string()};
}

/// The front of a UTF-8 text, whole characters only.
std::string cut(std::string text, std::size_t size_max)
{
    if (text.size() > size_max) {
        auto const goes_on = [&text](std::size_t at) { return (text[at] & 0xc0) == 0x80; };
        while (size_max > 0 && goes_on(size_max)) {
            --size_max;
        }
        text.resize(size_max);
    }
    return text;
}

/// An absent number is `absent`; nullopt for anything but an integer in [0, max].
std::optional<std::uint64_t> number_member(json::object const& object, std::string_view key,
                                           std::uint64_t absent, std::uint64_t max)
{
    auto const* value = object.if_contains(key);
    if (value == nullptr) {
        return absent;
    }
    boost::system::error_code error;
    auto const number = value->to_number<std::uint64_t>(error);
    if (error || number > max) {
        return std::nullopt;
    }
    return number;
}

/// The members of an array, at most `link_members_max`; no array = empty.
std::vector<json::value> array_member(json::object const& object, std::string_view key)
{
    auto const* value = object.if_contains(key);
    if (value == nullptr || !value->is_array()) {
        return {};
    }
    auto const& array = value->get_array();
    auto const count = std::min(array.size(), link_members_max);
    return {array.begin(), array.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::optional<TrackerTier> read_tier(json::value const& value)
{
    if (!value.is_array()) {
        return std::nullopt;
    }
    TrackerTier tier;
    for (auto const& item : value.get_array()) {
        auto const* text = item.if_string();
        auto tracker = text ? parse_tracker_url(std::string_view{*text}) : std::nullopt;
        if (!tracker) {
            return std::nullopt;
        }
        if (tier.size() < link_members_max) {
            tier.push_back(*std::move(tracker));
        }
    }
    return tier;
}

bool read_urls(json::object const& object, std::string_view key, std::vector<std::string>& urls)
{
    for (auto const& item : array_member(object, key)) {
        auto const* text = item.if_string();
        if (text == nullptr || !is_web_url(std::string_view{*text})) {
            return false;
        }
        urls.emplace_back(*text);
    }
    return true;
}

bool read_renditions(json::object const& object, std::vector<Rendition>& renditions)
{
    for (auto const& item : array_member(object, "renditions")) {
        auto const* entry = item.if_object();
        auto const swarm = entry ? text_member(*entry, "swarm") : std::nullopt;
        auto const id = swarm ? from_hex(*swarm) : std::nullopt;
        if (!id || !is_live_id(*id)) {
            return false;
        }
        auto const kbps = number_member(*entry, "video_kbps", 0, 1'000'000);
        if (!kbps) {
            return false;
        }
        renditions.push_back(
            {text_member(*entry, "name").value_or(""), *id, static_cast<std::uint32_t>(*kbps)});
    }
    return true;
}

std::optional<ChannelFileError> read_numbers(json::object const& object, ChannelFile& file)
{
    auto const chunk_size = number_member(object, "chunk_size", 1024, 65'535);
    auto const per_signature = number_member(object, "chunks_per_signature", 0, 65'536);
    auto const created = number_member(
        object, "created", 0, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    if (!chunk_size || !per_signature || !created) {
        return ChannelFileError::bad_number;
    }
    file.chunk_size = static_cast<std::uint32_t>(*chunk_size);
    file.chunks_per_signature = static_cast<std::uint32_t>(*per_signature);
    file.created = static_cast<std::int64_t>(*created);
    return std::nullopt;
}

std::optional<ChannelFileError> read_members(json::object const& object, ChannelFile& file)
{
    for (auto const& item : array_member(object, "trackers")) {
        auto tier = read_tier(item);
        if (!tier) {
            return ChannelFileError::bad_tracker;
        }
        if (!tier->empty()) {
            file.link.trackers.push_back(*std::move(tier));
        }
    }
    if (!read_urls(object, "caches", file.link.caches) ||
        !read_urls(object, "cdn", file.link.cdn)) {
        return ChannelFileError::bad_url;
    }
    if (!read_renditions(object, file.renditions)) {
        return ChannelFileError::bad_rendition;
    }
    file.title = cut(text_member(object, "title").value_or(""), channel_title_size_max);
    return read_numbers(object, file);
}

} // namespace

std::string_view sentence(ChannelFileError error)
{
    switch (error) {
    case ChannelFileError::cannot_read:
        return "the channel file cannot be read";
    case ChannelFileError::too_large:
        return "the channel file is larger than 256 KiB";
    case ChannelFileError::not_json:
        return "the channel file is not a JSON object";
    case ChannelFileError::missing_member:
        return "the channel file lacks its swarm or its signature";
    case ChannelFileError::bad_swarm:
        return "the swarm in the channel file is not the hex form of a channel key";
    case ChannelFileError::bad_tracker:
        return "a tracker in the channel file is not a URL like http://HOST:PORT";
    case ChannelFileError::bad_url:
        return "a cache or CDN in the channel file is not an http:// or https:// URL";
    case ChannelFileError::bad_number:
        return "a number in the channel file is out of range";
    case ChannelFileError::bad_rendition:
        return "a rendition in the channel file names no channel";
    case ChannelFileError::bad_signature:
        return "the channel file was changed after its broadcaster signed it; ask for a new one";
    }
    return "the channel file cannot be used";
}

std::string to_json(ChannelFile const& file, integrity::Signer& signer)
{
    json::object object = to_object(file);
    std::string const text = canonical_text(object);
    object["signature"] = to_hex(signer.sign(as_bytes(text)));
    return json::serialize(object) + "\n";
}

Result<ChannelFile, ChannelFileError> parse_channel_file(std::string_view text,
                                                         integrity::Checker& checker)
{
    if (text.size() > channel_file_size_max) {
        return failure(ChannelFileError::too_large);
    }
    boost::system::error_code error;
    auto const value = json::parse({text.data(), text.size()}, error);
    auto const* object = error ? nullptr : value.if_object();
    if (object == nullptr || !has_only_integers(value)) {
        return failure(ChannelFileError::not_json);
    }
    auto const swarm = text_member(*object, "swarm");
    auto const signature = text_member(*object, "signature");
    if (!swarm || !signature) {
        return failure(ChannelFileError::missing_member);
    }
    auto const id = from_hex(*swarm);
    if (!id || !is_live_id(*id)) {
        return failure(ChannelFileError::bad_swarm);
    }
    auto const signature_bytes = from_hex(*signature);
    if (!signature_bytes ||
        !checker.check(*id, as_bytes(canonical_text(*object)), *signature_bytes)) {
        return failure(ChannelFileError::bad_signature);
    }
    ChannelFile file;
    file.link.swarm = *id;
    if (auto const problem = read_members(*object, file)) {
        return failure(*problem);
    }
    return file;
}

Result<ChannelFile, ChannelFileError> read_channel_file(std::filesystem::path const& path,
                                                        integrity::Checker& checker)
{
    std::ifstream stream(path, std::ios::binary);
    std::string text(channel_file_size_max + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.gcount() == 0 || stream.bad()) {
        return failure(ChannelFileError::cannot_read);
    }
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return parse_channel_file(text, checker);
}

Result<ChannelLink, std::string> find_channel(std::string const& link_or_path,
                                              integrity::Checker& checker)
{
    bool const is_file =
        link_or_path.find("://") == std::string::npos && link_or_path.ends_with(".ppsp");
    if (!is_file) {
        auto link = parse_link(link_or_path);
        if (!link) {
            return failure(std::string{sentence(link.error())});
        }
        return *std::move(link);
    }
    auto file = read_channel_file(link_or_path, checker);
    if (!file) {
        return failure(link_or_path + ": " + std::string{sentence(file.error())});
    }
    if (file->link.trackers.empty()) {
        return failure(link_or_path + ": the channel file names no tracker");
    }
    return std::move(file->link);
}

} // namespace ppsp::peer
