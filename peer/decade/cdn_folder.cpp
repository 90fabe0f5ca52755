#include "peer/decade/cdn_folder.hpp"

#include "protocol/integrity/openssl_hasher.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace ppsp::peer {
namespace {

namespace fs = std::filesystem;

std::string sentence(fs::path const& path)
{
    return "cannot write " + path.string() + ": " + std::strerror(errno);
}

Result<void, std::string> write_whole(fs::path const& path, Bytes bytes)
{
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    auto aside = path;
    // A name that no request can ask for by mistake, and that the next run overwrites.
    aside.replace_filename("." + path.filename().string() + ".part");
    errno = 0;
    {
        std::ofstream file(aside, std::ios::binary | std::ios::trunc);
        file.write(reinterpret_cast<char const*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        file.close();
        if (!file) {
            auto problem = sentence(aside);
            fs::remove(aside, error);
            return failure(std::move(problem));
        }
    }
    if (::rename(aside.c_str(), path.c_str()) != 0) {
        return failure(sentence(path));
    }
    return {};
}

std::optional<ByteVector> read_whole(fs::path const& path)
{
    std::error_code error;
    auto const size = fs::file_size(path, error);
    if (error || size > decade::object_size_max) {
        return std::nullopt;
    }
    std::ifstream file(path, std::ios::binary);
    ByteVector bytes(size);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    return file ? std::optional(std::move(bytes)) : std::nullopt;
}

} // namespace

Result<CdnFolder, std::string> CdnFolder::open(fs::path const& folder, ByteVector swarm_id)
{
    CdnFolder opened(folder, std::move(swarm_id));
    auto const live = opened.path_of(decade::live_path(opened.swarm_id_));
    std::error_code error;
    fs::create_directories(live, error);
    if (error) {
        return failure("cannot make the folder " + live.string() + ": " + error.message());
    }
    if (::access(live.c_str(), W_OK) != 0) {
        return failure(sentence(live));
    }
    opened.adopt();
    return opened;
}

fs::path CdnFolder::path_of(std::string const& url_path) const
{
    return folder_ / url_path.substr(1);
}

void CdnFolder::adopt()
{
    std::vector<std::pair<ChunkRange, fs::path>> aliases;
    std::error_code error;
    for (auto const& entry : fs::directory_iterator(path_of(decade::live_path(swarm_id_)), error)) {
        if (auto const chunks = decade::parse_alias(entry.path().filename().string())) {
            aliases.emplace_back(*chunks, entry.path());
        }
    }
    std::sort(aliases.begin(), aliases.end());
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    for (auto const& [chunks, alias] : aliases) {
        auto const bytes = read_whole(alias);
        auto const object =
            bytes ? path_of(decade::NiName::of(*hasher, *bytes).path()) : fs::path{};
        published_.push_back({object, alias});
    }
    prune();
}

void CdnFolder::prune()
{
    std::error_code ignored; // somebody else may have cleaned up
    while (published_.size() > objects_max) {
        auto const& oldest = published_.front();
        fs::remove(oldest.alias, ignored);
        if (!oldest.object.empty()) {
            fs::remove(oldest.object, ignored);
        }
        published_.pop_front();
    }
}

Result<void, std::string> CdnFolder::publish(CollectedObject const& object,
                                             std::string_view index_text)
{
    Published const files{path_of(object.entry.name.path()),
                          path_of(decade::alias_path(swarm_id_, object.entry.chunks))};
    if (auto written = write_whole(files.object, object.bytes); !written) {
        return written;
    }
    // A link takes no room; file systems without links get a copy.
    std::error_code error;
    fs::remove(files.alias, error);
    fs::create_hard_link(files.object, files.alias, error);
    if (error) {
        if (auto written = write_whole(files.alias, object.bytes); !written) {
            return written;
        }
    }
    published_.push_back(files);
    // The index comes last: what it names is there.
    if (auto written = write_whole(path_of(decade::index_path(swarm_id_)), as_bytes(index_text));
        !written) {
        return written;
    }
    prune();
    return {};
}

} // namespace ppsp::peer
