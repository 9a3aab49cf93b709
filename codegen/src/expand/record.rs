//! `#[derive(Record)]`: a struct's fields as columns, and the struct itself as JSON where it is nested in another.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Fields, Ident, LitStr, Type};

use super::{named_fields, sdk};
use crate::attributes::{Mistakes, RecordAttribute};
use crate::docs::{doc_comment, one_line};
use crate::names::pascal;

/// Expands `#[derive(Record)]` for a struct, or for an enum whose variants hold one value each (a union).
pub fn record(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let expanded = match &input.data {
        Data::Enum(data) => union(input, data, &mut mistakes),
        _ => structure(input, &mut mistakes),
    };
    match mistakes.finish() {
        Ok(()) => expanded,
        Err(error) => {
            let error = error.to_compile_error();
            let sdk = sdk();
            let name = &input.ident;
            // The empty impl keeps one mistake from becoming an error wherever the record is used.
            quote! {
                #error
                impl ::#sdk::Record for #name {
                    const NAME: &'static str = "";
                    const FIELDS: &'static [&'static str] = &[];
                    fn columns() -> ::std::vec::Vec<::#sdk::ColumnDef<Self>> {
                        ::std::vec::Vec::new()
                    }
                }
            }
        }
    }
}

/// A field that is a column: what the record's and the table's derive both need of it.
pub(super) struct RecordField<'a> {
    pub ident: &'a Ident,
    pub name: String,
    pub doc: String,
    pub origin: String,
    pub sensitive: bool,
    pub span: proc_macro2::Span,
}

impl RecordField<'_> {
    /// The tokens of its `ColumnDef` over `Self`.
    pub fn definition(&self) -> TokenStream {
        let sdk = sdk();
        let Self { ident, name, doc, origin, .. } = self;
        let sensitive = self.sensitive.then(|| quote!(.sensitive()));
        quote_spanned! {self.span=>
            ::#sdk::ColumnDef::field(#name, #doc, #origin, |row: &Self| &row.#ident) #sensitive
        }
    }
}

fn structure(input: &DeriveInput, mistakes: &mut Mistakes) -> TokenStream {
    let sdk = sdk();
    let name = &input.ident;
    let pascal_case = RecordAttribute::read(&input.attrs, mistakes).pascal;
    let mut fields = Vec::new();
    let mut members = Vec::new();
    let mut types = Vec::new();
    let mut secret = Vec::new();
    for field in named_fields(input, "a record", mistakes).into_iter().flat_map(|fields| &fields.named) {
        let Some(ident) = &field.ident else { continue };
        let attribute = RecordAttribute::read(&field.attrs, mistakes);
        let column = ident.unraw().to_string();
        let json = match &attribute.rename {
            Some(rename) => rename.value(),
            None if pascal_case => pascal(&column),
            None => column.clone(),
        };
        members.push(json);
        types.push(&field.ty);
        secret.push(attribute.sensitive);
        fields.push(RecordField {
            ident,
            doc: one_line(&doc_comment(&field.attrs)),
            origin: format!("{name}.{column}"),
            name: column,
            sensitive: attribute.sensitive,
            span: field.ty.span(),
        });
    }
    let title = name.to_string();
    let names: Vec<&String> = fields.iter().map(|field| &field.name).collect();
    let idents: Vec<&Ident> = fields.iter().map(|field| field.ident).collect();
    let definitions = fields.iter().map(RecordField::definition);
    let json = json_impls(name, &quote!(#(object.member(#members, &self.#idents);)*), &members, &types, &secret);
    quote! {
        #[automatically_derived]
        impl ::#sdk::Record for #name {
            const NAME: &'static str = #title;
            const FIELDS: &'static [&'static str] = &[#(#names),*];
            fn columns() -> ::std::vec::Vec<::#sdk::ColumnDef<Self>> {
                ::std::vec![#(#definitions),*]
            }
        }
        #json
    }
}

/// A union is a JSON object with one member, named like the variant.
fn union(input: &DeriveInput, data: &DataEnum, mistakes: &mut Mistakes) -> TokenStream {
    let (mut arms, mut members, mut types) = (Vec::new(), Vec::new(), Vec::new());
    let mut secret = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let attribute = RecordAttribute::read(&variant.attrs, mistakes);
        let member = attribute.rename.as_ref().map_or_else(|| ident.to_string(), LitStr::value);
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                arms.push(quote!(Self::#ident(value) => { object.member(#member, value); }));
                members.push(member);
                types.push(&fields.unnamed[0].ty);
                secret.push(attribute.sensitive);
            }
            Fields::Unit => arms.push(quote!(Self::#ident => {})),
            other => mistakes.at(other.span(), "a variant of a union holds one value, or none"),
        }
    }
    json_impls(&input.ident, &quote!(match self { #(#arms)* }), &members, &types, &secret)
}

/// The struct or union as a JSON object: how its members are written, of which names and types they are, and which of
/// them are secret.
fn json_impls(name: &Ident, write: &TokenStream, members: &[String], types: &[&Type], secret: &[bool]) -> TokenStream {
    let sdk = sdk();
    let title = name.to_string();
    let inner = members.iter().zip(types).zip(secret).filter(|((_, ty), secret)| **secret || !is_scalar(ty));
    let inner: Vec<TokenStream> =
        inner.map(|((member, ty), secret)| quote!((#member, #secret, <#ty as ::#sdk::WriteJson>::secrets))).collect();
    let secrets = (!inner.is_empty()).then(|| {
        quote! {
            fn secrets(found: &mut ::#sdk::json::Secrets) {
                found.members(#title, &[#(#inner),*]);
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl ::#sdk::WriteJson for #name {
            fn write_json(&self, out: &mut ::std::vec::Vec<u8>) {
                let mut object = ::#sdk::json::Object::begin(out);
                #write
                object.end();
            }
            fn shape(depth: usize) -> ::#sdk::json::Shape {
                if depth == 0 {
                    return "any".into();
                }
                let mut members = ::#sdk::json::Members::new();
                #(members.add(#members, <#types as ::#sdk::WriteJson>::shape(depth - 1));)*
                members.into()
            }
            #secrets
        }
        #[automatically_derived]
        impl ::#sdk::Value for #name {
            ::#sdk::json_value!();
        }
    }
}

/// Whether a type holds no record for certain, so that there is nothing to look for in it.
fn is_scalar(ty: &Type) -> bool {
    const SCALARS: [&str; 19] = [
        "String",
        "bool",
        "i8",
        "i16",
        "i32",
        "i64",
        "u8",
        "u16",
        "u32",
        "u64",
        "f32",
        "f64",
        "Timestamp",
        "Binary",
        "RawJson",
        "Inet",
        "Mac",
        "Uuid",
        "Enum",
    ];
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    let name = last.ident.to_string();
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) if ["Option", "Vec", "Box"].contains(&name.as_str()) => {
            arguments.args.iter().all(|item| matches!(item, syn::GenericArgument::Type(item) if is_scalar(item)))
        }
        _ => SCALARS.contains(&name.as_str()),
    }
}
