//! Search attributes: what there is, and what starts bring along.

use std::{collections::HashMap, sync::Arc};

use longhaul_engine::proto::{
    common::v1::SearchAttributes,
    enums::v1::IndexedValueType,
    operatorservice::v1::{
        AddSearchAttributesRequest, AddSearchAttributesResponse, ListSearchAttributesRequest,
        ListSearchAttributesResponse,
    },
};
use longhaul_store::{Change, NamespaceId, Transition};

use crate::{
    Error, Runtime,
    attributes::{Kind, Known, is_built_in},
    core::Core,
    filter,
};

impl Runtime {
    /// Check the attributes that a request brings, and make the types of new ones durable before anything uses them (E13).
    pub(crate) async fn admit_attributes(
        &self,
        namespace: NamespaceId,
        attributes: Option<&SearchAttributes>,
    ) -> Result<(), Error> {
        let Some(attributes) = attributes.filter(|attributes| !attributes.indexed_fields.is_empty()) else {
            return Ok(());
        };
        let core = &self.inner.core;
        let changes = core
            .attributes
            .admit(&core.options.search_attributes, namespace, attributes)?;
        store(core, changes).await
    }

    /// The search attributes of a namespace: those that the server sets, and those that were used or added.
    ///
    /// # Errors
    ///
    /// There is no such namespace.
    pub fn search_attributes(
        &self,
        request: &ListSearchAttributesRequest,
    ) -> Result<ListSearchAttributesResponse, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        let known = self.inner.core.attributes.of(namespace);
        // What clients write without having added it is the system's, as on Temporal's server.
        let (built_in, custom_attributes) = known
            .iter()
            .map(|(name, kind)| (name.clone(), *kind as i32))
            .partition(|(name, _)| is_built_in(name));
        let mut system_attributes: HashMap<_, _> = built_in;
        let fields = filter::Field::ALL.iter();
        system_attributes.extend(fields.map(|(name, field)| ((*name).to_owned(), system_type(field) as i32)));
        Ok(ListSearchAttributesResponse {
            custom_attributes,
            system_attributes,
            ..Default::default()
        })
    }

    /// Fix the types of search attributes before their first use. What has the type already stays as it is.
    ///
    /// # Errors
    ///
    /// A name or type is not possible, or the name has another type.
    pub async fn add_search_attributes(
        &self,
        request: AddSearchAttributesRequest,
    ) -> Result<AddSearchAttributesResponse, Error> {
        let namespace = self.namespace_id(&request.namespace)?;
        if request.search_attributes.is_empty() {
            return Err(Error::InvalidArgument(
                "SearchAttributes are not set on request.".into(),
            ));
        }
        let mut new = Known::new();
        for (name, number) in request.search_attributes {
            let kind = Kind::from_number(number).ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "Unable to parse search attribute type: {number} of {name:?}; use {}",
                    Kind::ALL.map(|kind| kind.to_string()).join(", ")
                ))
            })?;
            new.insert(name, kind);
        }
        let core = &self.inner.core;
        core.attributes
            .fix(&core.options.search_attributes, namespace, new)?;
        store(core, core.attributes.unstored(namespace)).await?;
        Ok(AddSearchAttributesResponse::default())
    }
}

/// Make the types of attributes durable.
async fn store(core: &Arc<Core>, changes: Vec<Change>) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let writing = core.clone();
    let done = tokio::task::spawn_blocking(move || {
        writing.write_now(Transition::new(changes.clone()))?;
        writing.attributes.stored(&changes);
        Ok(())
    });
    done.await.unwrap_or_else(|error| {
        Err(Error::Internal(format!(
            "storing search attributes has panicked: {error}"
        )))
    })
}

/// The type of a field as Temporal's server names it.
fn system_type(field: &filter::Field) -> IndexedValueType {
    match field.kind() {
        filter::Kind::Text | filter::Kind::Status => IndexedValueType::Keyword,
        filter::Kind::Time => IndexedValueType::Datetime,
        filter::Kind::Integer | filter::Kind::Duration | filter::Kind::Attribute(_) => IndexedValueType::Int,
    }
}
