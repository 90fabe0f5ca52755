#include "peer/shell/token_file.hpp"

#include <fstream>

namespace ppsp::peer {

Result<std::string, std::string> read_token_file(std::string const& path)
{
    std::ifstream file(path);
    std::string token;
    if (!(file >> token)) {
        return failure("cannot read a token from " + path);
    }
    return token;
}

} // namespace ppsp::peer
