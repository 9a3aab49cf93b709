pub struct ListNamesInput { pub next_token: ::std::option::Option<::std::string::String> }
